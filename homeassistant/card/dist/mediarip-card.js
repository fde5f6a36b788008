/* mediarip-card, built from homeassistant/card. Contains Lit, (c) Google, BSD-3-Clause. */
var de=globalThis,Ae=i=>i,q=de.trustedTypes,Te=q?q.createPolicy("lit-html",{createHTML:i=>i}):void 0,ue="$lit$",x=`lit$${Math.random().toFixed(9).slice(2)}$`,ce="?"+x,ct=`<${ce}>`,A=document,C=()=>A.createComment(""),E=i=>i===null||typeof i!="object"&&typeof i!="function",pe=Array.isArray,Ce=i=>pe(i)||typeof i?.[Symbol.iterator]=="function",le=`[ 	
\f\r]`,z=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,Se=/-->/g,Me=/>/g,$=RegExp(`>|${le}(?:([^\\s"'>=/]+)(${le}*=${le}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),De=/'/g,Re=/"/g,Ee=/^(?:script|style|textarea|title)$/i,he=i=>(t,...e)=>({_$litType$:i,strings:t,values:e}),d=he(1),dn=he(2),un=he(3),T=Symbol.for("lit-noChange"),u=Symbol.for("lit-nothing"),ze=new WeakMap,k=A.createTreeWalker(A,129);function He(i,t){if(!pe(i)||!i.hasOwnProperty("raw"))throw Error("invalid template strings array");return Te!==void 0?Te.createHTML(t):t}var Ne=(i,t)=>{let e=i.length-1,n=[],s,r=t===2?"<svg>":t===3?"<math>":"",a=z;for(let o=0;o<e;o++){let l=i[o],p,f,c=-1,h=0;for(;h<l.length&&(a.lastIndex=h,f=a.exec(l),f!==null);)h=a.lastIndex,a===z?f[1]==="!--"?a=Se:f[1]!==void 0?a=Me:f[2]!==void 0?(Ee.test(f[2])&&(s=RegExp("</"+f[2],"g")),a=$):f[3]!==void 0&&(a=$):a===$?f[0]===">"?(a=s??z,c=-1):f[1]===void 0?c=-2:(c=a.lastIndex-f[2].length,p=f[1],a=f[3]===void 0?$:f[3]==='"'?Re:De):a===Re||a===De?a=$:a===Se||a===Me?a=z:(a=$,s=void 0);let m=a===$&&i[o+1].startsWith("/>")?" ":"";r+=a===z?l+ct:c>=0?(n.push(p),l.slice(0,c)+ue+l.slice(c)+x+m):l+x+(c===-2?o:m)}return[He(i,r+(i[e]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),n]},H=class i{constructor({strings:t,_$litType$:e},n){let s;this.parts=[];let r=0,a=0,o=t.length-1,l=this.parts,[p,f]=Ne(t,e);if(this.el=i.createElement(p,n),k.currentNode=this.el.content,e===2||e===3){let c=this.el.content.firstChild;c.replaceWith(...c.childNodes)}for(;(s=k.nextNode())!==null&&l.length<o;){if(s.nodeType===1){if(s.hasAttributes())for(let c of s.getAttributeNames())if(c.endsWith(ue)){let h=f[a++],m=s.getAttribute(c).split(x),y=/([.?@])?(.*)/.exec(h);l.push({type:1,index:r,name:y[2],strings:m,ctor:y[1]==="."?U:y[1]==="?"?F:y[1]==="@"?J:M}),s.removeAttribute(c)}else c.startsWith(x)&&(l.push({type:6,index:r}),s.removeAttribute(c));if(Ee.test(s.tagName)){let c=s.textContent.split(x),h=c.length-1;if(h>0){s.textContent=q?q.emptyScript:"";for(let m=0;m<h;m++)s.append(c[m],C()),k.nextNode(),l.push({type:2,index:++r});s.append(c[h],C())}}}else if(s.nodeType===8)if(s.data===ce)l.push({type:2,index:r});else{let c=-1;for(;(c=s.data.indexOf(x,c+1))!==-1;)l.push({type:7,index:r}),c+=x.length-1}r++}}static createElement(t,e){let n=A.createElement("template");return n.innerHTML=t,n}};function S(i,t,e=i,n){if(t===T)return t;let s=n!==void 0?e._$Co?.[n]:e._$Cl,r=E(t)?void 0:t._$litDirective$;return s?.constructor!==r&&(s?._$AO?.(!1),r===void 0?s=void 0:(s=new r(i),s._$AT(i,e,n)),n!==void 0?(e._$Co??=[])[n]=s:e._$Cl=s),s!==void 0&&(t=S(i,s._$AS(i,t.values),s,n)),t}var W=class{constructor(t,e){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=e}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:e},parts:n}=this._$AD,s=(t?.creationScope??A).importNode(e,!0);k.currentNode=s;let r=k.nextNode(),a=0,o=0,l=n[0];for(;l!==void 0;){if(a===l.index){let p;l.type===2?p=new D(r,r.nextSibling,this,t):l.type===1?p=new l.ctor(r,l.name,l.strings,this,t):l.type===6&&(p=new V(r,this,t)),this._$AV.push(p),l=n[++o]}a!==l?.index&&(r=k.nextNode(),a++)}return k.currentNode=A,s}p(t){let e=0;for(let n of this._$AV)n!==void 0&&(n.strings!==void 0?(n._$AI(t,n,e),e+=n.strings.length-2):n._$AI(t[e])),e++}},D=class i{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,e,n,s){this.type=2,this._$AH=u,this._$AN=void 0,this._$AA=t,this._$AB=e,this._$AM=n,this.options=s,this._$Cv=s?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,e=this._$AM;return e!==void 0&&t?.nodeType===11&&(t=e.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,e=this){t=S(this,t,e),E(t)?t===u||t==null||t===""?(this._$AH!==u&&this._$AR(),this._$AH=u):t!==this._$AH&&t!==T&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):Ce(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==u&&E(this._$AH)?this._$AA.nextSibling.data=t:this.T(A.createTextNode(t)),this._$AH=t}$(t){let{values:e,_$litType$:n}=t,s=typeof n=="number"?this._$AC(t):(n.el===void 0&&(n.el=H.createElement(He(n.h,n.h[0]),this.options)),n);if(this._$AH?._$AD===s)this._$AH.p(e);else{let r=new W(s,this),a=r.u(this.options);r.p(e),this.T(a),this._$AH=r}}_$AC(t){let e=ze.get(t.strings);return e===void 0&&ze.set(t.strings,e=new H(t)),e}k(t){pe(this._$AH)||(this._$AH=[],this._$AR());let e=this._$AH,n,s=0;for(let r of t)s===e.length?e.push(n=new i(this.O(C()),this.O(C()),this,this.options)):n=e[s],n._$AI(r),s++;s<e.length&&(this._$AR(n&&n._$AB.nextSibling,s),e.length=s)}_$AR(t=this._$AA.nextSibling,e){for(this._$AP?.(!1,!0,e);t!==this._$AB;){let n=Ae(t).nextSibling;Ae(t).remove(),t=n}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},M=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,e,n,s,r){this.type=1,this._$AH=u,this._$AN=void 0,this.element=t,this.name=e,this._$AM=s,this.options=r,n.length>2||n[0]!==""||n[1]!==""?(this._$AH=Array(n.length-1).fill(new String),this.strings=n):this._$AH=u}_$AI(t,e=this,n,s){let r=this.strings,a=!1;if(r===void 0)t=S(this,t,e,0),a=!E(t)||t!==this._$AH&&t!==T,a&&(this._$AH=t);else{let o=t,l,p;for(t=r[0],l=0;l<r.length-1;l++)p=S(this,o[n+l],e,l),p===T&&(p=this._$AH[l]),a||=!E(p)||p!==this._$AH[l],p===u?t=u:t!==u&&(t+=(p??"")+r[l+1]),this._$AH[l]=p}a&&!s&&this.j(t)}j(t){t===u?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},U=class extends M{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===u?void 0:t}},F=class extends M{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==u)}},J=class extends M{constructor(t,e,n,s,r){super(t,e,n,s,r),this.type=5}_$AI(t,e=this){if((t=S(this,t,e,0)??u)===T)return;let n=this._$AH,s=t===u&&n!==u||t.capture!==n.capture||t.once!==n.once||t.passive!==n.passive,r=t!==u&&(n===u||s);s&&this.element.removeEventListener(this.name,this,n),r&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},V=class{constructor(t,e,n){this.element=t,this.type=6,this._$AN=void 0,this._$AM=e,this.options=n}get _$AU(){return this._$AM._$AU}_$AI(t){S(this,t)}},Le={M:ue,P:x,A:ce,C:1,L:Ne,R:W,D:Ce,V:S,I:D,H:M,N:F,U:J,B:U,F:V},pt=de.litHtmlPolyfillSupport;pt?.(H,D),(de.litHtmlVersions??=[]).push("3.3.3");var Pe=(i,t,e)=>{let n=e?.renderBefore??t,s=n._$litPart$;if(s===void 0){let r=e?.renderBefore??null;n._$litPart$=s=new D(t.insertBefore(C(),r),r,void 0,e??{})}return s._$AI(i),s};var Oe={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},Ie=i=>(...t)=>({_$litDirective$:i,values:t}),B=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,e,n){this._$Ct=t,this._$AM=e,this._$Ci=n}_$AS(t,e){return this.update(t,e)}update(t,e){return this.render(...e)}};var{I:ht}=Le,qe=i=>i;var We=()=>document.createComment(""),R=(i,t,e)=>{let n=i._$AA.parentNode,s=t===void 0?i._$AB:t._$AA;if(e===void 0){let r=n.insertBefore(We(),s),a=n.insertBefore(We(),s);e=new ht(r,a,i,i.options)}else{let r=e._$AB.nextSibling,a=e._$AM,o=a!==i;if(o){let l;e._$AQ?.(i),e._$AM=i,e._$AP!==void 0&&(l=i._$AU)!==a._$AU&&e._$AP(l)}if(r!==s||o){let l=e._$AA;for(;l!==r;){let p=qe(l).nextSibling;qe(n).insertBefore(l,s),l=p}}}return e},_=(i,t,e=i)=>(i._$AI(t,e),i),mt={},Ue=(i,t=mt)=>i._$AH=t,Fe=i=>i._$AH,K=i=>{i._$AR(),i._$AA.remove()};var Je=(i,t,e)=>{let n=new Map;for(let s=t;s<=e;s++)n.set(i[s],s);return n},Ve=Ie(class extends B{constructor(i){if(super(i),i.type!==Oe.CHILD)throw Error("repeat() can only be used in text expressions")}dt(i,t,e){let n;e===void 0?e=t:t!==void 0&&(n=t);let s=[],r=[],a=0;for(let o of i)s[a]=n?n(o,a):a,r[a]=e(o,a),a++;return{values:r,keys:s}}render(i,t,e){return this.dt(i,t,e).values}update(i,[t,e,n]){let s=Fe(i),{values:r,keys:a}=this.dt(t,e,n);if(!Array.isArray(s))return this.ut=a,r;let o=this.ut??=[],l=[],p,f,c=0,h=s.length-1,m=0,y=r.length-1;for(;c<=h&&m<=y;)if(s[c]===null)c++;else if(s[h]===null)h--;else if(o[c]===a[m])l[m]=_(s[c],r[m]),c++,m++;else if(o[h]===a[y])l[y]=_(s[h],r[y]),h--,y--;else if(o[c]===a[y])l[y]=_(s[c],r[y]),R(i,l[y+1],s[c]),c++,y--;else if(o[h]===a[m])l[m]=_(s[h],r[m]),R(i,s[c],s[h]),h--,m++;else if(p===void 0&&(p=Je(a,m,y),f=Je(o,c,h)),p.has(o[c]))if(p.has(o[h])){let b=f.get(a[m]),oe=b!==void 0?s[b]:null;if(oe===null){let ke=R(i,s[c]);_(ke,r[m]),l[m]=ke}else l[m]=_(oe,r[m]),R(i,s[c],oe),s[b]=null;m++}else K(s[h]),h--;else K(s[c]),c++;for(;m<=y;){let b=R(i,l[y+1]);_(b,r[m]),l[m++]=b}for(;c<=h;){let b=s[c++];b!==null&&K(b)}return this.ut=a,Ue(i,l),T}});var ft={add:"M12 5v14M5 12h14",alert:"M12 4 2.8 19.5h18.4zM12 10v4.5M12 17.2v.1",audio:"M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM19 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z",clock:"M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3 2",close:"M6.5 6.5l11 11M17.5 6.5l-11 11",disk:"M4 14h16M6 5h12l2 9v5H4v-5zM16.5 16.6v.1",done:"M5 12.5l4.5 4.5L19 7.5",down:"M6 9.5l6 6 6-6",drop:"M12 4v11M7 10.5l5 5 5-5M5 20h14",moon:"M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",off:"M4 4l16 16M8.5 8.6a6 6 0 0 0-1 8.9h9.9M10.7 6.7a6 6 0 0 1 6.7 4.8 3.6 3.6 0 0 1 2.2 5.6",options:"M4 8h9M18 8h2M4 16h2M11 16h9M15.5 5.8v4.4M8.5 13.8v4.4",pause:"M9 6v12M15 6v12",play:"M8.5 5.5v13l10.5-6.5z",playlist:"M4 6.5h16M4 11.5h9M4 16.5h9M16 13v6l4.5-3z",retry:"M5 12a7 7 0 1 1 2.2 5.1M5 20v-4.5h4.5",video:"M4 6h16v12H4zM10 9.5v5l4.5-2.5z"};function g(i){return d`<svg viewBox="0 0 24 24" aria-hidden="true" class="icon ${i}-icon"><path d=${ft[i]} /></svg>`}var gt=/https?:\/\/[^\s<>"]+/gi,yt=/^[^\s/:@]+\.[a-z]{2,}(:\d+)?([/?#]\S*)?$/i;function G(i){return[...new Set(i.match(gt)??[])]}function vt(i){let[t]=G(i);if(t)return{url:t};let e=i.trim();return yt.test(e)||/^\S*:\/\/\S*$/.test(e)?{url:e}:{query:e}}var Y=class{constructor(t){this.host=t;this.open=!1;this.sound=!1;this.links=[];this.pasted=t=>{let e=G(t.clipboardData?.getData("text")??"");e.length<2||(t.preventDefault(),this.offer(e))};this.submitted=t=>{t.preventDefault();let e=this.host.find("#source")?.value??"",n=G(e);this.sending||(n.length>1?this.offer(n):e.trim()?this.send([vt(e)]):this.host.find("#source")?.focus())}}drop(t){let e=t.getData("text/uri-list").replace(/^#.*$/gm,"");this.offer(G(e||t.getData("text/plain")))}offer(t){this.sending||(this.links=t,this.refusal=t.length?void 0:{code:"invalid_url",message:""},t.length===1?this.send(t.map(e=>({url:e}))):this.changed(t.length?"[data-many]":void 0))}changed(t){this.host.requestUpdate(),t&&this.host.updateComplete.then(()=>this.host.find(t)?.focus())}chosen(){let t=this.host.find("form.add"),e=t?new FormData(t):new FormData,n=r=>String(e.get(r)??"").trim(),s={};return n("sound")?s.media_type="audio":n("preset")&&(s.preset=n("preset")),n("folder")&&(s.folder=n("folder")),n("priority")&&(s.priority=n("priority")),n("later")&&(s.not_before=new Date(n("later")).toISOString()),s}async send(t){let{host:e}=this,n=this.chosen(),s=t.length>1,r=[...this.links];this.refusal=void 0,this.sending={done:0,total:t.length};for(let p of t){this.changed();let f=await e.send({command:"download",...p,...n});if(f){this.refusal=f;break}this.sending={done:this.sending.done+1,total:t.length},r.shift()}let{done:a}=this.sending;this.sending=void 0;let o=this.host.find("#source"),l=r.length===1&&this.refusal?r[0]:void 0;if(this.links=s&&this.refusal?r:[],o&&(this.refusal?l&&!o.value&&(o.value=l):o.value=s?o.value:""),this.refusal){let{what:p,remedy:f}=e.words.error(this.refusal.code,this.refusal.message);e.announce(`${p} ${f}`)}else e.announce(s?e.words.text("added_n",{n:a}):e.words.text("added"));this.changed("#source")}formats(t,e){let n=r=>r==="best"?e.text("best"):r,s=t.preset?n(t.preset):void 0;return d`<select name="preset" aria-label=${e.text("format")} ?disabled=${this.sound}> <option value=""> ${s?e.text("default_format_is",{name:s}):e.text("default_format")} </option> ${t.presets.map(r=>d`<option value=${r}>${n(r)}</option>`)} </select>`}options(t){return d`<div class="options" id="options"> <label class="check"> <input type="checkbox" name="sound" value="1" .checked=${this.sound} @change=${e=>{this.sound=e.target.checked,this.changed()}} /> ${t.text("sound_only")} </label> <label> <span>${t.text("folder")}</span> <input name="folder" autocomplete="off" autocapitalize="off" spellcheck="false" dir="auto" /> </label> <label> <span>${t.text("later")}</span> <input name="later" type="datetime-local" /> </label> <label> <span>${t.text("priority")}</span> <select name="priority"> <option value="high">${t.text("priority_high")}</option> <option value="" selected>${t.text("priority_normal")}</option> <option value="low">${t.text("priority_low")}</option> </select> </label> </div>`}several(t){let e=this.links.length;return e<2||this.sending?u:d`<div class="ask" role="group" aria-labelledby="many"> <span id="many">${t.text("add_many",{n:e})}</span> <button type="button" class="text strong" data-many @click=${()=>{this.send(this.links.map(n=>({url:n})))}} > ${t.text("add_n",{n:e})} </button> <button type="button" class="text" @click=${()=>{this.links=[],this.refusal=void 0,this.changed("#source")}} > ${t.text("discard")} </button> </div>`}status(t){if(this.sending&&this.sending.total>1){let{done:s,total:r}=this.sending;return d`<p class="hint">${t.text("sending_some",{done:s,total:r})}</p>`}if(!this.refusal)return u;let{what:e,remedy:n}=t.error(this.refusal.code,this.refusal.message);return d`<p class="refusal" id="refused">${g("alert")}<span>${e} ${n}</span></p>`}render(t,e,n){let s=this.sending!==void 0,r=!n;return d`<form class="add" @submit=${this.submitted} autocomplete="off"> <div class="field"> <input id="source" class="source" aria-label=${e.text("field")} placeholder=${e.text("field")} enterkeyhint="go" autocapitalize="off" spellcheck="false" dir="auto" maxlength="8000" ?disabled=${r} ?readonly=${s} aria-invalid=${this.refusal} aria-describedby=${this.refusal?"refused":u} @paste=${this.pasted} /> <div class="with"> ${t.presets.length?this.formats(t,e):u} <button type="button" class="text quiet toggle" aria-expanded=${this.open} ?disabled=${r} @click=${()=>{this.open=!this.open,this.sound=!1,this.changed()}} > ${g("options")}<span>${e.text("options")}</span> </button> <button class="text strong" ?disabled=${r} aria-disabled=${s}> ${g("add")}<span>${s?e.text("sending"):e.text("add")}</span> </button> </div> </div> ${this.open?this.options(e):u} ${this.several(e)} ${this.status(e)} </form>`}};function bt(){let i=crypto.getRandomValues(new Uint8Array(9));return"card"+Array.from(i,t=>t.toString(16).padStart(2,"0")).join("")}function Z(i){let{code:t,message:e}=i??{};return{code:t==="unauthorized"||e==="Unauthorized"?"read_only":"call_failed",message:String(e??i??"")}}var Q=class{constructor(){this.waiting=new Map}async send(t,e,n){if(!e.notify)return{code:"no_door",message:""};let s=bt(),r=JSON.stringify({...n,request_id:s}),a=new Promise(o=>{let l=window.setTimeout(()=>this.settle(s,{code:"no_answer",message:""}),1e4);this.waiting.set(s,{resolve:o,timer:l})});try{await t.callService("notify","send_message",{message:r},{entity_id:e.notify},!1)}catch(o){this.settle(s,Z(o))}return e.response||this.settle(s,null),a}observe(t,e){if(!this.waiting.size)return;let n=t.states[e.response??""]?.attributes.recent;for(let s of Array.isArray(n)?n:[]){let{request_id:r,ok:a,error_code:o,error:l}=s;typeof r=="string"&&this.waiting.has(r)&&this.settle(r,a===!0?null:{code:String(o??""),message:String(l??"")})}}settle(t,e){let n=this.waiting.get(t);n&&(this.waiting.delete(t),clearTimeout(n.timer),n.resolve(e))}};var xt=["phase","filename","priority","error_code"],wt=["error","category"],_t=["progress","speed","eta","size","tile","duration"],$t=["at","next_retry_at","completed_at"],v=["extracting","downloading","processing"],kt=[...v,"queued","paused","retrying","review","completed","failed","cancelled"],ge={id:"",status:"completed",title:"",site:"videos.example",kind:"video",done:void 0,total:void 0,keep:!1},Be=i=>typeof i=="object"&&i!==null,w=i=>typeof i=="string"&&i.trim()?i:void 0,At=/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g,ee=i=>i.replace(At," ").trim(),me=i=>w(ee(w(i)??"")),N=i=>typeof i=="number"&&Number.isFinite(i)&&i>=0?i:void 0,fe=i=>{let t=typeof i=="string"?Date.parse(i):NaN;return Number.isNaN(t)?void 0:t};function Tt(i){if(!Be(i))return;let t=w(i.id),e=w(i.status);if(!t||!e||!kt.includes(e))return;let n=Be(i.items)?i.items:{},s={id:t,status:e,title:me(i.title)??"",site:me(i.site)??"",kind:w(i.kind)??"video",done:N(n.completed),total:N(n.total),keep:i.keep===!0};for(let r of xt)s[r]=w(i[r]);for(let r of wt)s[r]=me(i[r]);for(let r of _t)s[r]=N(i[r]);for(let r of $t)s[r]=fe(i[r]);return s}var St={response:"recent",finished:"finished",failed:"failed",tiles:"tiles"},X=class{constructor(t){this.status=t;this.ids=[];this.seen=[];this.roles={status:t}}update(t){if(t.entities!==this.registry){this.registry=t.entities;let s=t.entities?.[this.status]?.device_id,r=Object.keys(t.entities??{});this.ids=s?r.filter(a=>t.entities?.[a]?.device_id===s):[],this.ids.includes(this.status)||this.ids.push(this.status),this.roles={status:this.status}}this.findRoles(t);let e=Object.values(this.roles).map(s=>t.states[s]),n=e.length!==this.seen.length||e.some((s,r)=>s!==this.seen[r]);return this.seen=e,n}findRoles(t){let e=this.roles;if(e.notify&&e.response&&e.finished&&e.failed&&e.tiles&&e.preset)return;let n=t.states[this.status]?.attributes.presets;for(let s of this.ids){let r=t.states[s];if(r)if(s.startsWith("notify."))e.notify??=s;else if(s.startsWith("select.")){let a=r.attributes.options;Array.isArray(n)&&String(a)===String(n)&&(e.preset??=s)}else for(let[a,o]of Object.entries(St))o in r.attributes&&(e[a]??=s)}}},ye={phase:"missing",status:"",jobs:[],presets:[],storageLost:!1,more:0};function Mt(i){return i?i.state==="unavailable"?"offline":i.state==="unknown"||!("jobs"in i.attributes)?"starting":"ready":"missing"}function Ke(i,t,e){let n=i.states[t.status],s=Mt(n),r=fe(n?.last_changed);if(!n||s!=="ready"){let h=e.jobs.map(m=>({...m,speed:void 0,eta:void 0}));return{...e,phase:s,since:r,jobs:h,free:void 0,storageLost:!1}}let a=n.attributes,o=(h,m)=>{let y=i.states[h??""]?.attributes[m];return Array.isArray(y)?y:[]},{status:l,failed:p,finished:f}=t,c=new Map;for(let h of[...o(l,"jobs"),...o(p,"failed"),...o(f,"finished")]){let m=Tt(h);m&&!c.has(m.id)&&c.set(m.id,m)}return{phase:s,since:r,status:n.state,jobs:[...c.values()],presets:o(l,"presets").filter(h=>typeof h=="string"),preset:w(i.states[t.preset??""]?.state),pauseReason:w(a.pause_reason),pauseUntil:fe(a.pause_until),storageLost:a.storage==="lost"||n.state==="storage_lost",free:N(a.disk_free),more:N(a.more)??0,media:w(a.media)}}var Dt=5,j=class{constructor(){this.newest=0;this.offset=0;this.shown=new Map}observe(t,e){let n=Math.max(0,...t.map(s=>s.at??0));n<=this.newest||((this.newest||n>e)&&(this.offset=e-n),this.newest=n)}elapsed(t,e){return t.at===void 0?0:Math.max(0,(e-this.offset-t.at)/1e3)}progress(t,e){let{progress:n,eta:s}=t;if(n===void 0||!v.includes(t.status))return n;if(!s)return Math.min(n,100);let r=Math.min(Math.max(n,99),n+(100-n)*this.elapsed(t,e)/s),a=this.shown.get(t.id)??0;return r<a&&r>a-Dt?a:(this.shown.set(t.id,r),r)}left(t,e){if(t.eta===void 0||!v.includes(t.status))return;let n=t.eta-this.elapsed(t,e);return n>0?n:void 0}};var ve={keys:"title running waiting failed finished is_running is_waiting free left of more show_all show_fewer show_all_of show_fewer_of retry_all pause_all pause_all_long resume_all resume_all_long untitled video audio playlist extracting merging converting subtitles moving processing queued paused review retrying cancelled completed high low kept cancel retry resume pause play next normal keep unkeep remove delete delete_ask back play_on show_media details action_of progress_of file folder size duration site category ended message field format default_format default_format_is best add sending sending_some options sound_only later priority priority_high priority_normal priority_low add_many add_n discard drop added added_n done playing_on no_players no_media close cannot_play empty empty_how empty_read off_since off_how off_how_empty starting missing missing_how missing_entity missing_entity_how example_one example_two pause_user pause_quiet_hours pause_quiet_hours_until pause_disk_low pause_updating storage_lost storage_lost_how error_state look_only no_answer no_door read_only invalid_url blocked_address unknown_preset unsafe_path job_not_found invalid_transition queue_full storage_unavailable unsupported_url unavailable private login_required age_restricted geo_restricted drm_protected not_yet_live rate_limited forbidden_by_site not_found network timeout disk_full postprocessing js_runtime_missing internal",en:`Downloads
Running
Waiting
Failed
Finished
{n} running
{n} waiting
{size} free
{time} left
{done} of {total}
and {n} more in the queue
Show all
Show fewer
Show all: {section}
Show fewer: {section}
Retry all
Pause
Pause all downloads
Resume
Resume all downloads
Untitled
video
audio
playlist
Reading the page
Joining picture and sound
Converting
Fetching subtitles
Moving into place
Finishing
In the queue
Paused
Waits for a decision
Tries again at {time}
Cancelled
Finished
high priority
low priority
kept
Cancel
Retry
Resume
Pause
Play
Move up
Normal priority
Keep
Do not keep
Remove from list
Delete file
Delete the file for good?
Do not delete
Play on…
Show in media
Details
{action}: {title}
Progress: {title}
File
Folder
Size
Length
Site
Category
Finished
Message
Link or search words
Format
Default
Default ({name})
Best
Add
Sending…
Sending {done} of {total}…
Options
Sound only
Not before
Priority
High
Normal
Low
Add {n} link?|Add {n} links?
Add {n}
No
Drop links here
Added.
{n} download added.|{n} downloads added.
{action}: done.
Playing on {player}.
No media player can play this now.
To play files here, set “homeassistant.media_source” in the service's settings.
Close
This browser cannot play the file.
Nothing here yet.
Paste a link above, drop one onto this card, or share one from your phone.
Downloads appear here as soon as someone adds one.
Off since {time}.
The service does not answer. This is the last that was known.
The service does not answer. Check that it runs and reaches the broker.
Waiting for the service…
No download service found
Start mediarip-mqtt with Home Assistant's MQTT broker. It appears here by itself.
“{entity}” does not exist
Choose the service's status sensor in this card's settings.
Harbour at night
Interview
Downloads are paused.
Quiet hours: nothing new starts.
Quiet hours: nothing new starts until {time}.
The disk is almost full ({size} free). Delete some files to go on.
yt-dlp is being updated. Downloads go on in a moment.
The storage is gone.
Check that the disk or network share is connected. Downloads go on by themselves.
The service reports a problem. Its log has the details.
You can look, but not change anything.
No answer from the service.|It may still arrive. Check that the service runs.
The service's “Download” entity is missing.|Enable it on the device's page.
You may not do this.|Ask an administrator for the right to control this device.
That is not a web address.|Use the full address of the page.
This address is inside your network.|If you want that, allow the host in “security.allowed_hosts”.
This format no longer exists.|Choose another.
This folder or file name is not possible.|Use a folder below the storage, without “..”.
This download is no longer there.
That is not possible at the moment.
The queue is full.|Wait, or cancel some downloads.
The storage is not available.|Check the disk or network share, then retry.
No video or audio found on this page.|If the page shows some, update yt-dlp.
Not available at the moment.|Try again later, or with another format.
Private: only some accounts may see it.|Send the cookies of such an account.
Needs a login.|Send the site's cookies to the service, then retry.
Needs a login that proves your age.|Send the cookies of such an account, then retry.
Not offered in this country.|A proxy in another country may help, where you are allowed to.
Copy-protected (DRM).|It cannot be downloaded.
The stream has not begun, or is over.|Retry when it is live.
The site asks for fewer requests.|It is tried again by itself.
The site refuses the request.|Try cookies, then a newer yt-dlp.
There is nothing at this address.|Check the link.
The site could not be reached.|Check the connection, then retry.
The site did not answer in time.|Retry later.
The disk is full.|Delete some files, then retry.
The file could not be converted.|Retry with the format “best”.
The site needs a JavaScript runtime.|Install Deno or Node where the service runs.
Something went wrong in the service.|Its log has the details.`,de:`Downloads
Aktiv
Wartend
Fehlgeschlagen
Fertig
{n} aktiv
{n} wartet|{n} warten
{size} frei
noch {time}
{done} von {total}
und {n} weiterer in der Warteschlange|und {n} weitere in der Warteschlange
Alle anzeigen
Weniger anzeigen
Alle anzeigen: {section}
Weniger anzeigen: {section}
Alle wiederholen
Anhalten
Alle Downloads anhalten
Fortsetzen
Alle Downloads fortsetzen
Ohne Titel
Video
Audio
Playlist
Seite wird gelesen
Bild und Ton werden verbunden
Wird umgewandelt
Untertitel werden geladen
Wird abgelegt
Wird fertiggestellt
In der Warteschlange
Angehalten
Wartet auf eine Entscheidung
Neuer Versuch um {time}
Abgebrochen
Fertig
hohe Priorität
niedrige Priorität
wird behalten
Abbrechen
Wiederholen
Fortsetzen
Anhalten
Abspielen
Vorziehen
Normale Priorität
Behalten
Nicht mehr behalten
Aus der Liste entfernen
Datei löschen
Die Datei endgültig löschen?
Nicht löschen
Abspielen auf …
In Medien zeigen
Details
{action}: {title}
Fortschritt: {title}
Datei
Ordner
Größe
Länge
Website
Kategorie
Beendet
Meldung
Link oder Suchwörter
Format
Standard
Standard ({name})
Beste
Hinzufügen
Wird gesendet …
{done} von {total} gesendet …
Optionen
Nur Ton
Nicht vor
Priorität
Hoch
Normal
Niedrig
{n} Link hinzufügen?|{n} Links hinzufügen?
{n} hinzufügen
Nein
Links hier ablegen
Hinzugefügt.
{n} Download hinzugefügt.|{n} Downloads hinzugefügt.
{action}: erledigt.
Wird auf {player} abgespielt.
Zurzeit kann kein Gerät das abspielen.
Um Dateien hier abzuspielen, in den Einstellungen des Dienstes „homeassistant.media_source“ setzen.
Schließen
Dieser Browser kann die Datei nicht abspielen.
Hier ist noch nichts.
Oben einen Link einfügen, einen auf diese Karte ziehen oder einen vom Handy teilen.
Downloads erscheinen hier, sobald jemand einen hinzufügt.
Aus seit {time}.
Der Dienst antwortet nicht. Dies ist der letzte bekannte Stand.
Der Dienst antwortet nicht. Bitte prüfen, ob er läuft und den Broker erreicht.
Warten auf den Dienst …
Kein Download-Dienst gefunden
mediarip-mqtt mit dem MQTT-Broker von Home Assistant starten. Dann erscheint es hier von selbst.
„{entity}“ gibt es nicht
In den Einstellungen dieser Karte den Status-Sensor des Dienstes wählen.
Hafen bei Nacht
Interview
Die Downloads sind angehalten.
Ruhezeit: nichts Neues beginnt.
Ruhezeit: bis {time} beginnt nichts Neues.
Der Speicher ist fast voll ({size} frei). Zum Fortfahren einige Dateien löschen.
yt-dlp wird aktualisiert. Gleich geht es weiter.
Der Speicher ist nicht erreichbar.
Bitte prüfen, ob Laufwerk oder Netzfreigabe verbunden sind. Danach geht es von selbst weiter.
Der Dienst meldet ein Problem. Näheres steht in seinem Protokoll.
Du kannst hier nur zusehen, nichts ändern.
Keine Antwort vom Dienst.|Der Auftrag kann noch ankommen. Bitte prüfen, ob der Dienst läuft.
Die Entität „Download“ des Dienstes fehlt.|Auf der Seite des Geräts aktivieren.
Das darfst du nicht.|Einen Administrator um das Recht bitten, dieses Gerät zu steuern.
Das ist keine Webadresse.|Bitte die volle Adresse der Seite verwenden.
Diese Adresse liegt im eigenen Netz.|Falls gewünscht, den Host in „security.allowed_hosts“ erlauben.
Dieses Format gibt es nicht mehr.|Bitte ein anderes wählen.
Dieser Ordner oder Dateiname ist nicht möglich.|Einen Ordner unterhalb des Speichers ohne „..“ angeben.
Diesen Download gibt es nicht mehr.
Das ist im Augenblick nicht möglich.
Die Warteschlange ist voll.|Warten oder einige Downloads abbrechen.
Der Speicher ist nicht erreichbar.|Laufwerk oder Netzfreigabe prüfen, dann wiederholen.
Auf dieser Seite wurde nichts zum Laden gefunden.|Zeigt die Seite doch etwas, yt-dlp aktualisieren.
Zurzeit nicht verfügbar.|Später erneut versuchen oder ein anderes Format wählen.
Privat: nur für bestimmte Konten.|Die Cookies eines solchen Kontos senden.
Anmeldung nötig.|Die Cookies der Website an den Dienst senden, dann wiederholen.
Anmeldung mit Altersnachweis nötig.|Die Cookies eines solchen Kontos senden, dann wiederholen.
In diesem Land nicht angeboten.|Ein Proxy in einem anderen Land kann helfen, sofern erlaubt.
Kopiergeschützt (DRM).|Das lässt sich nicht herunterladen.
Der Stream hat nicht begonnen oder ist vorbei.|Wiederholen, wenn er läuft.
Die Website verlangt weniger Anfragen.|Es wird von selbst erneut versucht.
Die Website lehnt die Anfrage ab.|Cookies versuchen, dann ein neueres yt-dlp.
Unter dieser Adresse ist nichts.|Bitte den Link prüfen.
Die Website war nicht erreichbar.|Verbindung prüfen, dann wiederholen.
Die Website hat nicht rechtzeitig geantwortet.|Später wiederholen.
Der Speicher ist voll.|Einige Dateien löschen, dann wiederholen.
Die Datei ließ sich nicht umwandeln.|Mit dem Format „best“ wiederholen.
Die Website braucht eine JavaScript-Laufzeit.|Dort, wo der Dienst läuft, Deno oder Node installieren.
Im Dienst ist etwas schiefgegangen.|Näheres steht in seinem Protokoll.`,fr:`Téléchargements
En cours
En attente
Échecs
Terminés
{n} en cours
{n} en attente
{size} libres
encore {time}
{done} sur {total}
et {n} autre en file d'attente|et {n} autres en file d'attente
Tout afficher
Afficher moins
Tout afficher : {section}
Afficher moins : {section}
Tout réessayer
Pause
Mettre tous les téléchargements en pause
Reprendre
Reprendre tous les téléchargements
Sans titre
vidéo
audio
liste de lecture
Lecture de la page
Assemblage de l'image et du son
Conversion
Récupération des sous-titres
Rangement du fichier
Finalisation
En file d'attente
En pause
Attend une décision
Nouvel essai à {time}
Annulé
Terminé
priorité haute
priorité basse
conservé
Annuler
Réessayer
Reprendre
Pause
Lire
Avancer
Priorité normale
Conserver
Ne plus conserver
Retirer de la liste
Supprimer le fichier
Supprimer définitivement le fichier ?
Ne pas supprimer
Lire sur…
Voir dans les médias
Détails
{action} : {title}
Progression : {title}
Fichier
Dossier
Taille
Durée
Site
Catégorie
Fin
Message
Lien ou mots à chercher
Format
Par défaut
Par défaut ({name})
Meilleur
Ajouter
Envoi…
Envoi {done} sur {total}…
Options
Son seul
Pas avant
Priorité
Haute
Normale
Basse
Ajouter {n} lien ?|Ajouter {n} liens ?
Ajouter {n}
Non
Déposez les liens ici
Ajouté.
{n} téléchargement ajouté.|{n} téléchargements ajoutés.
{action} : c'est fait.
Lecture sur {player}.
Aucun lecteur ne peut lire ce fichier pour l'instant.
Pour lire les fichiers ici, définissez « homeassistant.media_source » dans les réglages du service.
Fermer
Ce navigateur ne peut pas lire le fichier.
Rien ici pour l'instant.
Collez un lien ci-dessus, déposez-en un sur cette carte ou partagez-en un depuis votre téléphone.
Les téléchargements apparaissent ici dès que quelqu'un en ajoute un.
Arrêté depuis {time}.
Le service ne répond pas. Voici le dernier état connu.
Le service ne répond pas. Vérifiez qu'il fonctionne et qu'il atteint le broker.
En attente du service…
Aucun service de téléchargement trouvé
Démarrez mediarip-mqtt avec le broker MQTT de Home Assistant. Il apparaîtra ici de lui-même.
« {entity} » n'existe pas
Choisissez le capteur d'état du service dans les réglages de cette carte.
Le port la nuit
Entretien
Les téléchargements sont en pause.
Heures calmes : rien de nouveau ne démarre.
Heures calmes : rien de nouveau ne démarre avant {time}.
Le disque est presque plein ({size} libres). Supprimez des fichiers pour continuer.
Mise à jour de yt-dlp. Les téléchargements reprennent dans un instant.
Le stockage est inaccessible.
Vérifiez que le disque ou le partage réseau est connecté. La reprise est automatique.
Le service signale un problème. Son journal en donne les détails.
Vous pouvez regarder, mais rien modifier.
Pas de réponse du service.|La demande peut encore arriver. Vérifiez que le service fonctionne.
L'entité « Download » du service est absente.|Activez-la sur la page de l'appareil.
Vous n'avez pas ce droit.|Demandez à un administrateur le droit de piloter cet appareil.
Ce n'est pas une adresse web.|Utilisez l'adresse complète de la page.
Cette adresse est dans votre réseau.|Si c'est voulu, autorisez l'hôte dans « security.allowed_hosts ».
Ce format n'existe plus.|Choisissez-en un autre.
Ce dossier ou ce nom de fichier est impossible.|Indiquez un dossier sous le stockage, sans « .. ».
Ce téléchargement n'existe plus.
C'est impossible pour le moment.
La file d'attente est pleine.|Attendez ou annulez des téléchargements.
Le stockage est inaccessible.|Vérifiez le disque ou le partage réseau, puis réessayez.
Ni vidéo ni audio sur cette page.|Si la page en montre, mettez yt-dlp à jour.
Indisponible pour le moment.|Réessayez plus tard ou avec un autre format.
Privé : réservé à certains comptes.|Envoyez les cookies d'un tel compte.
Connexion nécessaire.|Envoyez les cookies du site au service, puis réessayez.
Connexion avec preuve d'âge nécessaire.|Envoyez les cookies d'un tel compte, puis réessayez.
Non proposé dans ce pays.|Un proxy dans un autre pays peut aider, si c'est permis.
Protégé contre la copie (DRM).|Impossible à télécharger.
Le direct n'a pas commencé ou est terminé.|Réessayez pendant le direct.
Le site demande moins de requêtes.|Un nouvel essai se fera tout seul.
Le site refuse la demande.|Essayez des cookies, puis un yt-dlp plus récent.
Il n'y a rien à cette adresse.|Vérifiez le lien.
Le site est injoignable.|Vérifiez la connexion, puis réessayez.
Le site n'a pas répondu à temps.|Réessayez plus tard.
Le disque est plein.|Supprimez des fichiers, puis réessayez.
Le fichier n'a pas pu être converti.|Réessayez avec le format « best ».
Le site nécessite un moteur JavaScript.|Installez Deno ou Node là où tourne le service.
Une erreur s'est produite dans le service.|Son journal en donne les détails.`};var zt=ve.keys.split(" "),Ct={comma_decimal:"en-US",decimal_comma:"de",space_comma:"fr",quote_decimal:"de-CH"},te=60,Ge=3600;function Et(i,t){let e=i.locale?.number_format??"language";if(e!=="system")return Ct[e]??t}function Ht(i){let t=i.locale?.time_format;return t==="12"?!0:t==="24"?!1:void 0}function P(i){let t=(i??"").toLowerCase().split(/[-_]/)[0]??"";return t==="de"||t==="fr"?t:"en"}var L=class{constructor(t){this.formats=new Map;let e=t.locale?.language??t.language??"en";this.language=P(e),this.texts=ve[this.language].split(`
`),this.timeLocale=e.toLowerCase().startsWith(this.language)?e:this.language,this.plural=new Intl.PluralRules(this.language),this.numbers=Et(t,this.timeLocale),this.dates={};let n=Ht(t);n!==void 0&&(this.dates.hourCycle=n?"h12":"h23"),t.locale?.time_zone==="server"&&t.config?.time_zone&&(this.dates.timeZone=t.config.time_zone)}forms(t){return this.texts[zt.indexOf(t)]?.split("|")??[]}text(t,e={}){let[n="",s]=this.forms(t);return(s===void 0||this.plural.select(Number(e.n))==="one"?n:s).replace(/\{(\w+)\}/g,(a,o)=>{let l=e[o]??"";return typeof l=="number"?this.number(l):l})}error(t,e){let[n=e||t||this.text("failed"),s=""]=this.forms(t??"");return{what:n,remedy:s}}format(t){let e=JSON.stringify(t),n=this.formats.get(e);return n||(n=new Intl.NumberFormat(this.numbers,t),this.formats.set(e,n)),n}number(t){return this.format({}).format(t)}percent(t){return this.format({style:"percent"}).format(Math.floor(t)/100)}scaled(t,e){let n=["byte","kilobyte","megabyte","gigabyte","terabyte"],s=0,r=t;for(;r>=999.5&&s<n.length-1;s+=1)r/=1e3;let a=r<10&&s>1?1:0;return this.format({style:"unit",unit:n[s]+e,unitDisplay:"short",maximumFractionDigits:a}).format(r)}size(t){return this.scaled(t,"")}speed(t){return this.scaled(t,"-per-second")}unit(t,e){return this.format({style:"unit",unit:e,maximumFractionDigits:0}).format(t)}span(t){if(t<te)return this.unit(Math.max(5,Math.ceil(t/5)*5),"second");let e=Math.round(t/te);if(e<60)return this.unit(e,"minute");let n=e%60;return this.unit(Math.floor(e/60),"hour")+(n?` ${this.unit(n,"minute")}`:"")}length(t){let e=Math.round(t),n=[Math.floor(e/Ge),Math.floor(e%Ge/te),e%te];return n[0]||n.shift(),n.map((s,r)=>r?String(s).padStart(2,"0"):String(s)).join(":")}day(t){return new Intl.DateTimeFormat("en",{...this.dates,dateStyle:"short"}).format(t)}moment(t,e){if(this.day(t)===this.day(e))return new Intl.DateTimeFormat(this.timeLocale,{...this.dates,hour:"numeric",minute:"2-digit"}).format(t);let n=t>e?{hour:"numeric",minute:"2-digit"}:{};return new Intl.DateTimeFormat(this.timeLocale,{...this.dates,...n,day:"numeric",month:"short"}).format(t)}};var Ye={entity:"Service",entity_help:"The status sensor of mediarip-mqtt. Without it, the card takes the first service that it finds.",title:"Title",more:"Options",sections:"Sections",running:"Running",waiting:"Waiting",failed:"Failed",finished_section:"Finished",finished:"Finished downloads until “Show all”",add:"Field to add downloads",thumbnails:"Thumbnails",confirm:"Ask before deleting a file",players:"Media players",players_help:"Offered by “Play on”. None chosen: all that can play media.",media:"Media source",media_help:"Only if the service does not tell it, such as media-source://media_source/local/downloads."},Nt={en:Ye,de:{entity:"Dienst",entity_help:"Der Statussensor von mediarip-mqtt. Ohne ihn nimmt die Karte den ersten Dienst, den sie findet.",title:"Titel",more:"Optionen",sections:"Abschnitte",running:"Laufend",waiting:"Wartend",failed:"Fehlgeschlagen",finished_section:"Fertig",finished:"Fertige Downloads bis „Alle anzeigen“",add:"Feld zum Hinzufügen",thumbnails:"Vorschaubilder",confirm:"Vor dem Löschen einer Datei fragen",players:"Mediaplayer",players_help:"Für „Abspielen auf“. Ohne Auswahl: alle, die Medien abspielen können.",media:"Medienquelle",media_help:"Nur wenn der Dienst sie nicht nennt, etwa media-source://media_source/local/downloads."},fr:{entity:"Service",entity_help:"Le capteur d'état de mediarip-mqtt. Sans lui, la carte prend le premier service trouvé.",title:"Titre",more:"Options",sections:"Sections",running:"En cours",waiting:"En attente",failed:"En échec",finished_section:"Terminés",finished:"Téléchargements terminés avant « Tout afficher »",add:"Champ d'ajout",thumbnails:"Vignettes",confirm:"Demander avant de supprimer un fichier",players:"Lecteurs multimédias",players_help:"Proposés par « Lire sur ». Aucun choisi : tous ceux qui peuvent lire des médias.",media:"Source multimédia",media_help:"Seulement si le service ne l'indique pas, par exemple media-source://media_source/local/downloads."}};function Lt(){let i=document.querySelector("home-assistant");return Nt[P(i?.hass?.language)]??Ye}function Qe(){let i=Lt(),t=n=>i[n],e=[{value:"running",label:i.running},{value:"waiting",label:i.waiting},{value:"failed",label:i.failed},{value:"finished",label:i.finished_section}];return{schema:[{name:"entity",selector:{entity:{filter:[{integration:"mqtt",domain:"sensor",device_class:"enum"}]}}},{name:"title",selector:{text:{}}},{type:"expandable",name:"more",title:i.more,flatten:!0,schema:[{name:"sections",selector:{select:{multiple:!0,mode:"list",options:e}}},{name:"finished",selector:{number:{min:0,max:200,mode:"box"}}},{name:"add",default:!0,selector:{boolean:{}}},{name:"thumbnails",default:!0,selector:{boolean:{}}},{name:"confirm",default:!0,selector:{boolean:{}}},{name:"players",selector:{entity:{multiple:!0,filter:[{domain:"media_player"}]}}},{name:"media",selector:{text:{}}}]}],computeLabel:n=>t(n.name),computeHelper:n=>i[`${n.name}_help`]}}var ne=class extends HTMLElement{constructor(e){super();this.root=this.attachShadow({mode:"open"});this.updateComplete=Promise.resolve();this.hasUpdated=!1;this.pending=!1;let n=document.createElement("style");n.textContent=e,this.root.append(n)}requestUpdate(){this.pending||!this.isConnected||(this.pending=!0,this.updateComplete=Promise.resolve().then(()=>{this.pending=!1,this.beforeUpdate(),Pe(this.template(),this.root),this.afterUpdate(),this.hasUpdated=!0}))}find(e){return this.root.querySelector(e)}};var Pt=512;function Ot(i,t){return(i.media||t.media)?.replace(/\/+$/,"")}function O(i,t,e){let n=Ot(i,t);return n&&e.filename&&e.status==="completed"?`${n}/${e.filename}`:void 0}function Ze(i,t,e){let n=O(i,t,e);return n?`/media-browser/browser/${["app,media-source://media_source",`,${n.slice(0,n.lastIndexOf("/"))}`].map(encodeURIComponent).join("/")}`:void 0}function Xe(i,t){let e=t.players?.length?t.players:Object.keys(i.states).filter(s=>s.startsWith("media_player.")),n=[];for(let s of e){let r=i.states[s],a=(Number(r?.attributes.supported_features)&Pt)!==0;r&&a&&r.state!=="unavailable"&&n.push({id:s,name:String(r.attributes.friendly_name??s)})}return n.sort((s,r)=>s.name.localeCompare(r.name))}async function je(i,t,e,n){let s={media_content_id:e,media_content_type:n.kind==="audio"?"music":"video"};try{await i.callService("media_player","play_media",s,{entity_id:t},!1)}catch(r){return Z(r)}return null}var ie=class{constructor(t){this.host=t;this.closed=()=>{this.playing=void 0,this.host.requestUpdate()};this.clicked=t=>{t.target===this.dialog&&this.dialog?.close()};this.failed=()=>{this.playing&&(this.playing={...this.playing,failed:!0},this.host.requestUpdate())}}async open(t,e,n,s){try{let r=await t.callWS({type:"media_source/resolve_media",media_content_id:e}),a=t.hassUrl?.(r.url)??r.url,o=r.mime_type.startsWith("audio/")||n.kind==="audio";this.playing={title:s,url:a,audio:o,failed:!1}}catch(r){let a=Z(r);return a.code==="read_only"?a:{...a,code:"cannot_resolve"}}return this.host.requestUpdate(),await this.host.updateComplete,this.dialog?.showModal(),null}get dialog(){return this.host.find("dialog")}render(t){let e=this.playing;if(!e)return u;let n=e.audio?d`<audio controls autoplay src=${e.url} @error=${this.failed}></audio>`:d`<video controls autoplay playsinline src=${e.url} @error=${this.failed}></video>`;return d`<dialog aria-labelledby="playing" @close=${this.closed} @click=${this.clicked}> <div class="player"> <div class="player-head"> <h2 id="playing" dir="auto">${e.title}</h2> <button class="round" aria-label=${t.text("close")} @click=${()=>this.dialog?.close()}> ${g("close")} </button> </div> ${n} ${e.failed?d`<p role="alert">${t.text("cannot_play")}</p>`:u} </div> </dialog>`}};function et(i,t){let e=i.id;switch(t){case"next":return{command:"prioritize",id:e,priority:"high"};case"normal":return{command:"prioritize",id:e,priority:"normal"};case"keep":return{command:"keep",id:e,keep:!0};case"unkeep":return{command:"keep",id:e,keep:!1};case"remove":return{command:"clear",id:e};case"delete":return{command:"delete",id:e,files:!0};default:return{command:t,id:e}}}function It(i){return i.status==="failed"||i.status==="cancelled"?"retry":i.status==="paused"?"resume":i.status==="completed"||i.status==="review"?void 0:"cancel"}function qt(i){let t=i.priority==="high"?"normal":"next";switch(i.status){case"queued":case"retrying":return["pause",t];case"paused":return["cancel",t];case"completed":return[i.keep?"unkeep":"keep","remove","delete"];case"failed":case"cancelled":return["remove"];default:return v.includes(i.status)?["pause"]:[]}}var Wt={cancel:"close",retry:"retry",resume:"play"},Ut=["extracting","merging","converting","subtitles","moving"];function tt(i){if(i.phase&&Ut.includes(i.phase))return i.phase;if(i.status==="extracting"||i.status==="processing")return i.status}function Ft(i){let t=i.filename?.split("/")??[];return ee(t.slice(0,-1).join("/"))}function be(i){return i.filter(([t])=>t).map(([t,e],n)=>d`<span class=${e??""}>${n?" · ":""}<bdi>${t}</bdi></span>`)}function Jt(i,t,e,n){let s=[i.size?e.size(i.size):void 0],r=[i.total?e.text("of",{done:i.done??0,total:i.total}):void 0],a=[i.site,"minor"],o=[i.priority==="high"||i.priority==="low"?e.text(i.priority):void 0];if(v.includes(i.status)){let l=tt(i);return[[l&&e.text(l)],[t.progress===void 0||i.status==="extracting"?"":e.percent(t.progress)],r,[t.left],[i.speed&&!l?e.speed(i.speed):void 0],a]}switch(i.status){case"completed":return[[i.completed_at===void 0?e.text("completed"):e.moment(i.completed_at,n)],r,s,[i.keep?e.text("kept"):void 0],[Ft(i),"minor"],a];case"failed":return[[e.error(i.error_code,i.error).what]];case"retrying":return[[i.next_retry_at===void 0?e.text("waiting"):e.text("retrying",{time:e.moment(i.next_retry_at,n)})],[i.error_code||i.error?e.error(i.error_code,i.error).what:void 0,"minor"],o];case"paused":return[[e.text("paused")],[i.progress?e.percent(i.progress):void 0],o,a];default:return[[e.text(i.status)],r,o,s,a]}}function Vt(i,t,e){let{tiles:n,words:s}=e,r=i.status==="failed"?"alert":i.kind==="audio"||i.kind==="playlist"?i.kind:"video",a=i.duration?d`<span class="length">${s.length(i.duration)}</span>`:u;if(!n||t.tile===void 0||t.tile>=n.columns*n.rows)return d`<div class="thumb plain" aria-hidden="true">${g(r)}${a}</div>`;let o=100*(t.tile%n.columns)/(n.columns-1||1),l=100*Math.floor(t.tile/n.columns)/(n.rows-1||1),p=`background-size:${n.columns*100}% ${n.rows*100}%;background-position:${o}% ${l}%`;return d`<div class="thumb" aria-hidden="true" style=${p}> ${i.status==="failed"?d`<span class="flag">${g("alert")}</span>`:u}${a} </div>`}function Bt(i,t,e,n){let s=i.status==="paused"&&i.progress;if(!v.includes(i.status)&&!s)return u;let r=n.text("progress_of",{title:e}),a=tt(i);if(t.progress===void 0||i.status==="extracting"&&!t.progress){let p=a?n.text(a):"";return d`<div class="bar busy" role="progressbar" aria-label=${r} aria-valuetext=${p}> <div></div> </div>`}let o=Math.floor(t.progress),l=[n.percent(o),a?n.text(a):t.left];return d`<div class="bar ${s?"still":""}" role="progressbar" aria-label=${r} aria-valuenow=${o} aria-valuemin="0" aria-valuemax="100" aria-valuetext=${l.filter(Boolean).join(", ")} > <div style="--done:${(t.progress/100).toFixed(4)}"></div> </div>`}function Kt(i,t,e){let n=t.error(i.error_code,i.error),s=i.status==="failed"||i.status==="retrying",r=[["site",i.site],["size",i.size?t.size(i.size):void 0],["duration",i.duration?t.length(i.duration):void 0],["ended",i.completed_at===void 0?void 0:t.moment(i.completed_at,e)],["category",i.category],["file",i.filename&&ee(i.filename),"long"],["message",s&&i.error!==n.what?i.error:void 0,"long"]];return d`<dl> ${r.map(([a,o,l])=>o?d`<div class=${l??""}> <dt>${t.text(a)}</dt> <dd dir="auto">${o}</dd> </div>`:u)} </dl>`}function Gt(i,t,e){let{words:n}=e,s=`ask-${i.id}`,r=()=>e.view(i.id,{asking:!1});return d`<div class="ask" role="group" aria-labelledby=${s} @keydown=${a=>a.key==="Escape"&&r()} > <span id=${s}>${n.text("delete_ask")}</span> <button class="text danger" aria-label=${n.text("action_of",{action:n.text("delete"),title:t})} @click=${()=>e.act(i,"delete")} > ${n.text("delete")} </button> <button class="text" data-focus @click=${r}>${n.text("back")}</button> </div>`}function Yt(i,t,e){let{words:n}=e,s=e.mediaId(i)!==void 0,r=e.mediaPage(i),a=t.picking??!1;return d`<div class="actions"> ${s?d`<button class="text" aria-expanded=${a} @click=${()=>e.view(i.id,{picking:!a})} > ${n.text("play_on")} </button> ${r?d`<a class="text" href=${r}>${n.text("show_media")}</a>`:u}`:u} ${qt(i).map(o=>d`<button class="text ${o==="delete"?"danger":""}" ?disabled=${!e.enabled||(t.busy??!1)} @click=${()=>e.act(i,o)} > ${n.text(o)} </button>`)} </div>`}function Qt(i,t){let{words:e}=t,n=t.players();return n.length?d`<div class="actions" role="group" aria-label=${e.text("play_on")}> ${n.map(s=>d`<button class="text" @click=${()=>t.playOn(i,s)}> ${g("play")}<span dir="auto">${s.name}</span> </button>`)} </div>`:d`<p class="hint">${e.text("no_players")}</p>`}function Zt(i,t,e,n,s){let{words:r}=s,a=i.error_code||i.error?r.error(i.error_code,i.error).remedy:"",o=i.status==="failed"||i.status==="retrying",l=i.status==="completed"&&i.filename&&s.mediaId(i)===void 0;return d`<div class="more" id="more-${i.id}"> ${o&&a?d`<p class="remedy">${a}</p>`:u} ${Kt(i,r,n)} ${l?d`<p class="hint">${r.text("no_media")}</p>`:u} ${s.readOnly?u:t.asking?Gt(i,e,s):Yt(i,t,s)} ${t.picking&&!t.asking&&!s.readOnly?Qt(i,s):u} </div>`}function Xt(i,t,e,n){let{words:s}=n,r=o=>s.text("action_of",{action:s.text(o),title:e});if(i.status==="completed")return n.mediaId(i)===void 0?u:d`<button class="round main" aria-label=${r("play")} title=${s.text("play")} ?disabled=${t.busy??!1} @click=${()=>n.play(i)} > ${g("play")} </button>`;let a=It(i);return!a||n.readOnly?u:d`<button class="round main" aria-label=${r(a)} title=${s.text(a)} aria-busy=${t.busy} ?disabled=${!n.enabled||(t.busy??!1)} @click=${()=>n.act(i,a)} > ${g(Wt[a]??"close")} </button>`}function nt(i,t,e,n,s){let{words:r}=s,a=i.title||r.text("untitled"),o=t.open??!1,l=()=>s.view(i.id,{open:!o,asking:!1,picking:!1}),p=t.refusal&&r.error(t.refusal.code,t.refusal.message);return d`<div class="line"> ${s.thumbnails?Vt(i,e,s):u} <div class="body" @click=${l}> <div class="name ${i.title?"":"untitled"}" dir="auto" title=${a}>${a}</div> <div class="meta"> ${be(Jt(i,e,r,n))} </div> ${Bt(i,e,a,r)} </div> ${Xt(i,t,a,s)} <button class="round expander" aria-expanded=${o} aria-label=${r.text("action_of",{action:r.text("details"),title:a})} title=${r.text("details")} @click=${l} > ${g("down")} </button> </div> ${p?d`<p class="refusal">${g("alert")}<span>${p.what} ${p.remedy}</span></p>`:u} ${t.note?d`<p class="hint">${t.note}</p>`:u} ${o?Zt(i,t,a,n,s):u}`}var xe=[{key:"running",statuses:v,limit:20},{key:"waiting",statuses:["queued","paused","retrying","review"],limit:5},{key:"failed",statuses:["failed"],limit:3,all:{label:"retry_all",command:{command:"retry",id:"all",status:"failed"}}},{key:"finished",statuses:["completed","cancelled"],limit:5}];function se(i,t){return t.filter(e=>i.statuses.includes(e.status))}function it(i){let t=i?.entity_id.startsWith("sensor.")?i.attributes.options:void 0;return Array.isArray(t)&&t.includes("storage_lost")&&t.includes("downloading")}function I(i){return Object.values(i.states).filter(it).map(t=>t?.entity_id??"").sort()}function st(i,t){return it(i.states[t])?{config:{type:"custom:mediarip-card",entity:t}}:null}var rt={en:{title:"Downloads",service:"Service",history:"Speed and free space"},de:{title:"Downloads",service:"Dienst",history:"Geschwindigkeit und freier Platz"},fr:{title:"Téléchargements",service:"Service",history:"Débit et espace libre"}},jt=[["switch"],["select"],["sensor","data_size"],["binary_sensor","problem"],["update"]],en=["data_rate","data_size"],we=i=>rt[P(i.locale?.language??i.language)]??rt.en;function tn(i,t){let e=i.entities??{},n=e[t]?.device_id;return Object.keys(e).filter(s=>n&&e[s]?.device_id===n&&!e[s]?.hidden&&i.states[s])}function at(i,t,e,n){return t.filter(s=>s.startsWith(`${e}.`)&&(!n||i.states[s]?.attributes.device_class===n))}function nn(i){let t=i.startsWith("select.")?{features:[{type:"select-options"}],features_position:"inline"}:{};return{type:"tile",entity:i,...t,grid_options:{columns:12}}}function sn(i,t,e){let n=we(i),s=tn(i,t),r=i.devices?.[i.entities?.[t]?.device_id??""],a=r?.name_by_user??r?.name??t,o=jt.flatMap(([h,m])=>at(i,s,h,m)),l=en.flatMap(h=>at(i,s,"sensor",h)),p=[];o.length&&p.push({type:"heading",heading:n.service,icon:"mdi:download-network"},...o.map(nn)),l.length&&p.push({type:"heading",heading:n.history,icon:"mdi:chart-line"},{type:"history-graph",entities:l,hours_to_show:24,grid_options:{columns:12}});let c=[{type:"grid",column_span:2,cards:[{type:"custom:mediarip-card",entity:t,grid_options:{columns:"full"}}]}];return p.length&&c.push({type:"grid",cards:p}),{type:"sections",title:e?n.title:a,path:t.replace("sensor.","").replaceAll("_","-"),icon:"mdi:download",max_columns:3,sections:c}}var _e=class extends HTMLElement{static{this.registryDependencies=["entities","devices"]}static{this.noEditor=!0}static generate(t,e){let n=I(e);if(n.length)return Promise.resolve({views:n.map(a=>sn(e,a,n.length===1))});let s=[{type:"custom:mediarip-card",grid_options:{columns:"full"}}],r=we(e).title;return Promise.resolve({views:[{type:"sections",title:r,sections:[{type:"grid",cards:s}]}]})}static getCreateSuggestions(t){return{title:we(t).title,icon:"mdi:download"}}},ot="ll-strategy-dashboard-mediarip";customElements.get(ot)||(customElements.define(ot,_e),(window.customStrategies??=[]).push({type:"mediarip",strategyType:"dashboard",name:"Downloads",description:"Downloads of mediarip-mqtt: add, follow and play them."}));var lt=':host{display:block;height:100%;--accent: var(--primary-color, #03a9f4);--text: var(--primary-text-color, #141414);--soft-text: var(--secondary-text-color, #5e5e5e);--line: var(--divider-color, #0000001f);--surface: var(--ha-card-background, var(--card-background-color, #fff));--tint: var(--secondary-background-color, #f0f0f0);--red: var(--error-color, #db4437);--amber: var(--warning-color, #ffa600);--green: var(--success-color, #43a047)}@supports (color: color-mix(in srgb,red,blue)){:host{--tint: color-mix(in srgb, var(--text) 6%, transparent)}}*{box-sizing:border-box}ha-card{display:block;height:100%;overflow:hidden;position:relative;color:var(--text)}.card{container-type:inline-size;height:100%;overflow-y:auto;overscroll-behavior:contain;padding:12px 16px 16px;line-height:1.4;font-size:14px}h2,h3,p,ul,dl,dd{margin:0;padding:0}ul{list-style:none}p,strong,dt,dd,button,a{unicode-bidi:plaintext}p,strong,dd,.name{text-align:left}.rtl :is(p,strong,dd,.name){text-align:right}svg{width:20px;height:20px;flex:none;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}.play-icon{fill:currentColor}.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}button,input,select,a{font:inherit;color:inherit;min-height:44px;border-radius:12px;border:1px solid transparent;background:none;margin:0}button,a{display:inline-flex;align-items:center;justify-content:center;gap:6px;padding:0 14px;cursor:pointer;font-weight:500;text-decoration:none;text-align:start;-webkit-tap-highlight-color:transparent;transition:background-color .15s}.text{background:var(--tint)}.quiet{background:none}.strong{background:color-mix(in srgb,var(--accent) 22%,transparent)}.danger{color:var(--text);background:color-mix(in srgb,var(--red) 18%,transparent)}.round{width:44px;padding:0;border-radius:50%;flex:none;color:var(--soft-text)}.round.main{color:var(--text)}@media(hover:hover){button:not(:disabled):hover,a:hover{background:color-mix(in srgb,var(--text) 12%,transparent)}.strong:not(:disabled):hover{background:color-mix(in srgb,var(--accent) 34%,transparent)}.danger:not(:disabled):hover{background:color-mix(in srgb,var(--red) 30%,transparent)}}button:disabled,input:disabled,select:disabled{opacity:.45;cursor:default}:focus-visible{outline:2px solid var(--accent);outline-offset:1px}[aria-expanded=true]>.down-icon{transform:rotate(180deg)}.down-icon{transition:transform .2s}.toggle[aria-expanded=true]{background:var(--tint)}input,select{background:var(--tint);padding:0 12px;min-width:0;color-scheme:light dark}select{cursor:pointer;text-overflow:ellipsis}option{background:var(--card-background-color, Canvas);color:var(--text)}input::placeholder{color:var(--soft-text);opacity:1}input[aria-invalid=true]{border-color:var(--red)}header{display:flex;align-items:center;gap:4px 12px;min-height:44px;margin-bottom:8px}h2{font-size:20px;font-weight:500;line-height:1.3;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.summary{flex:1 1 0;min-width:0;overflow:hidden;white-space:nowrap;color:var(--soft-text);text-align:end;font-variant-numeric:tabular-nums}.banner{display:flex;align-items:center;gap:12px;padding:6px 6px 6px 14px;padding-inline:14px 6px;min-height:48px;border-radius:12px;margin-bottom:12px;background:color-mix(in srgb,var(--amber) 16%,transparent)}.banner>div{flex:1;padding-block:4px}.banner strong{font-weight:500}.banner p{color:var(--text)}.banner.red{background:color-mix(in srgb,var(--red) 16%,transparent)}.banner.red svg{color:var(--red)}.banner.grey{background:var(--tint)}.refusal,.hint,.remedy{display:flex;gap:8px;align-items:center;padding:6px 0}.refusal svg{color:var(--red)}.hint{color:var(--soft-text)}.ask{display:flex;flex-wrap:wrap;align-items:center;gap:8px}.ask>span{flex:1 1 180px;font-weight:500}.add{display:grid;grid-template-columns:minmax(0,1fr);gap:8px;margin-bottom:8px}.field{display:flex;flex-wrap:wrap;gap:8px}.source{flex:99 1 240px;font-size:16px}.with{display:flex;gap:8px;flex:1 1 auto;min-width:0}.with select{flex:1 1 120px;max-width:220px}.with .strong{margin-inline-start:auto}.options{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:8px 12px;align-items:end;padding:8px 12px 12px;border:1px solid var(--line);border-radius:12px}.options label{display:grid;gap:2px}.options label>span{color:var(--soft-text);font-size:12px}.options .check{display:flex;align-items:center;gap:10px;min-height:44px;cursor:pointer}input[type=checkbox]{width:20px;height:20px;min-height:0;accent-color:var(--accent);margin:0}.drop{position:absolute;inset:6px;z-index:2;display:grid;place-items:center;align-content:center;gap:8px;border:2px dashed var(--accent);border-radius:10px;background:var(--surface);opacity:.94;font-size:18px;pointer-events:none}.drop svg{width:40px;height:40px;color:var(--accent)}section{margin-top:8px}.head{display:flex;align-items:center;gap:8px;min-height:44px}h3{flex:1;display:flex;gap:8px;font-size:14px;font-weight:500;color:var(--soft-text)}.count{font-weight:400;font-variant-numeric:tabular-nums}.head button{background:none;color:var(--soft-text);padding:0 8px;margin-inline-end:-8px}li{min-width:0}.row{content-visibility:auto;contain-intrinsic-size:auto 74px;margin-inline:-10px;padding:6px 10px;border-radius:14px}.row.open{background:var(--tint);margin-block:2px}.line{display:grid;grid-template:"thumb body main more" / auto minmax(0,1fr) auto auto;align-items:center}.body{grid-area:body;cursor:pointer}.main{grid-area:main}.expander{grid-area:more}.thumb{grid-area:thumb;position:relative;width:104px;aspect-ratio:16 / 9;border-radius:8px;margin-inline-end:12px;background-color:var(--tint);background-image:var(--tiles);overflow:hidden;display:grid;place-items:center;color:var(--soft-text)}.thumb.plain{background-image:none}.thumb.plain svg{width:24px;height:24px;stroke-width:1.5}.failed .thumb svg{color:var(--red)}.thumb .flag{position:absolute;inset:0;display:grid;place-items:center;background:color-mix(in srgb,var(--surface) 72%,transparent)}.length{position:absolute;inset-block-end:3px;inset-inline-end:3px;padding:0 4px;border-radius:4px;font-size:11px;line-height:16px;font-variant-numeric:tabular-nums;background:#000c;color:#fff}.name{grid-area:name;font-size:15px;font-weight:500;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.untitled{font-style:italic;color:var(--soft-text)}.open :is(.name,.meta){white-space:normal;overflow-wrap:anywhere}.meta{grid-area:meta;color:var(--soft-text);font-size:13px;font-variant-numeric:tabular-nums;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.failed .meta{color:var(--text);white-space:normal;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical}.open .meta{-webkit-line-clamp:none}.open :is(.thumb,.main,.expander){align-self:start}.bar{grid-area:bar;height:5px;margin-top:6px;border-radius:3px;background:color-mix(in srgb,var(--text) 14%,transparent);overflow:hidden}.bar>div{height:100%;background:var(--accent);border-radius:inherit;transform-origin:left;transform:scaleX(var(--done));transition:transform 1s linear}.rtl .bar>div{transform-origin:right}.bar.still>div{background:var(--soft-text);transition:none}.bar.busy>div{width:35%;transform:none;animation:busy 1.8s ease-in-out infinite alternate}@keyframes busy{to{margin-inline-start:65%}}.more{display:grid;gap:10px;padding:10px 0 4px}.remedy{padding:0}dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(115px,1fr));gap:8px 16px}dl .long{grid-column:1 / -1}dt{color:var(--soft-text);font-size:12px}dd{overflow-wrap:anywhere}.actions{display:flex;flex-wrap:wrap;gap:8px}.offline ul,.example{filter:grayscale(1)}.offline .name{color:var(--soft-text)}.offline .bar>div{animation:none;transition:none}.empty{display:grid;justify-items:center;gap:6px;padding:24px 8px 16px;text-align:center;color:var(--soft-text)}.empty>svg{width:44px;height:44px;stroke-width:1.2;color:var(--accent)}.empty strong{color:var(--text);font-size:16px;font-weight:500;overflow-wrap:anywhere}.empty :is(p,strong){max-width:44ch;text-align:center}.example{width:100%;text-align:start}dialog{border:0;padding:0;border-radius:16px;width:min(960px,94vw);max-height:94vh;background:var(--card-background-color, #fff);color:var(--text);overflow:hidden}dialog::backdrop{background:#000a}.player-head{display:flex;align-items:center;gap:12px;padding:6px 6px 6px 16px;padding-inline:16px 6px}.player-head h2{flex:1;font-size:16px;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden}video{display:block;width:100%;max-height:calc(94vh - 56px);background:#000}audio{display:block;width:calc(100% - 32px);margin:8px 16px 16px}.player>p{padding:8px 16px 16px}@container (max-width: 400px){h2{font-size:18px}.minor,.length,header button span,.toggle span{display:none}header{gap:4px 8px}header button,.toggle{padding:0;width:44px;flex:none}.source{flex-basis:100%}.with select{flex-basis:80px}.body{display:contents}.line{grid-template-areas:"thumb name main more" "meta meta meta meta" "bar bar bar bar"}.thumb{width:64px;margin-inline-end:10px;border-radius:6px}.name{font-size:14px;line-height:1.3;white-space:normal;overflow-wrap:anywhere;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical}.open .name{-webkit-line-clamp:none}}@container (max-width: 540px){.rare{display:none}}@container (min-width: 860px){ul.many{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));column-gap:40px;align-items:start}}@media(prefers-reduced-motion:reduce){*{transition:none!important;animation:none!important}.bar.busy>div{width:100%;opacity:.4}}@media(forced-colors:active){button,a,.thumb.plain,.row.open,.banner{border:1px solid}.bar{border:1px solid CanvasText;height:7px}.bar>div{forced-color-adjust:none;background:Highlight}.thumb{forced-color-adjust:none}}';var re=class{constructor(t,e){this.host=t;this.changed=e;this.columns=0;this.rows=0;this.loaded="";this.loading="";this.url="";this.known=new Map}get ready(){return this.url!==""&&this.columns>0}of(t){if(!this.loading||this.known.get(t.id)===t.tile)return t.tile}update(t,e,n){let s=t.states[e.tiles??""];this.loading||this.remember(n);let r=s?.attributes.entity_picture,a=s?.attributes.tiles;!s||typeof r!="string"||!a||!Number.isFinite(Date.parse(s.state))||(this.columns=Number(a.columns)||0,this.rows=Number(a.rows)||0,!(s.state===this.loaded||this.loading)&&this.load(t,r,s.state))}remember(t){this.known.clear();for(let e of t)e.tile!==void 0&&this.known.set(e.id,e.tile)}async load(t,e,n){this.loading=n;try{let s=await(t.fetchWithAuth?.(e)??fetch(e));if(s.ok){let r=URL.createObjectURL(await s.blob());this.release(),this.url=r,this.host.style.setProperty("--tiles",`url("${r}")`)}}catch{}this.loaded=n,this.loading="",this.changed()}release(){this.url&&URL.revokeObjectURL(this.url),this.url="",this.loaded=""}};var ae="mediarip-card",ut=1e3,an=2*ut,dt=20,on={},ln=[{...ge,id:"1",status:"downloading",title:"example_one",progress:42,speed:31e5},{...ge,id:"2",title:"example_two",size:12e8,duration:2520}],$e=class extends ne{constructor(){super(lt);this.words=new L({});this.model=ye;this.commands=new Q;this.reckoning=new j;this.tiles=new re(this,()=>this.requestUpdate());this.field=new Y(this);this.dialog=new ie(this);this.views=new Map;this.limits=new Map;this.readOnly=!1;this.dropping=0;this.searched=0;this.live="";this.banner="";this.now=Date.now();this.timer=0;this.onScreen=!0;this.schedule=()=>{let e=this.model.phase==="ready"&&this.model.jobs.some(s=>v.includes(s.status)),n=this.isConnected&&this.onScreen&&!document.hidden&&e;n&&!this.timer?(this.timer=window.setInterval(()=>{this.now=Date.now(),this.requestUpdate()},ut),this.now=Date.now(),this.requestUpdate()):!n&&this.timer&&(clearInterval(this.timer),this.timer=0)};this.dragged=e=>{let n=e.dataTransfer?.types??[];!(n.includes("text/uri-list")||n.includes("text/plain"))||!this.enabled||this.readOnly||this.config?.add===!1||(e.preventDefault(),e.type==="dragenter"&&(this.dropping+=1),e.type==="dragleave"&&(this.dropping-=1),e.type==="drop"&&(this.dropping=0,e.dataTransfer&&this.field.drop(e.dataTransfer)),e.type!=="dragover"&&this.requestUpdate())}}static getConfigForm(){return Qe()}static getStubConfig(e){let[n]=I(e);return n?{entity:n}:{}}setConfig(e){let{entity:n,sections:s}=e;if(n!==void 0&&typeof n!="string")throw new Error("entity: the id of a sensor");if(s!==void 0&&!Array.isArray(s))throw new Error("sections: a list");n!==this.config?.entity&&(this.entities=void 0,this.model=ye),this.config=e,this._hass&&this.take(this._hass),this.requestUpdate()}getCardSize(){return 8}getGridOptions(){return{columns:12,min_columns:6,min_rows:3}}set hass(e){let n=this._hass;this._hass=e,(n?.locale!==e.locale||n?.language!==e.language)&&(this.words=new L(e),this.requestUpdate()),this.take(e)}get hass(){return this._hass}take(e){if(!this.config)return;let n=this.config.entity||this.found(e);if(!n||(this.entities?.status!==n&&(this.entities=new X(n)),!this.entities.update(e)))return;let{roles:s}=this.entities;this.now=Date.now(),this.commands.observe(e,s),this.model=Ke(e,s,this.model),this.reckoning.observe(this.model.jobs,this.now),this.tiles.update(e,s,this.model.jobs),this.requestUpdate()}found(e){if(this.entities)return this.entities.status;if(!(Date.now()-this.searched<an))return this.searched=Date.now(),I(e)[0]}connectedCallback(){this.requestUpdate(),this.observer=new IntersectionObserver(e=>{this.onScreen=e.some(n=>n.isIntersecting),this.schedule()}),this.observer.observe(this),document.addEventListener("visibilitychange",this.schedule),this._hass&&this.entities&&this.tiles.update(this._hass,this.entities.roles,this.model.jobs),this.schedule()}disconnectedCallback(){this.observer?.disconnect(),document.removeEventListener("visibilitychange",this.schedule),this.tiles.release(),clearInterval(this.timer),this.timer=0}async send(e){let{_hass:n,entities:s}=this;if(!n||!s)return{code:"no_answer",message:""};let r=await this.commands.send(n,s.roles,e);return r?.code==="read_only"&&(this.readOnly=!0,this.requestUpdate()),r}announce(e){this.live=this.live===e?`${e} `:e,this.requestUpdate()}view(e,n){let s={...this.views.get(e),...n};if(n.open)for(let[r,a]of this.views)r!==e&&a.open&&this.views.delete(r);Object.values(s).some(Boolean)?this.views.set(e,s):this.views.delete(e),this.requestUpdate(),n.asking&&this.updateComplete.then(()=>this.find("[data-focus]")?.focus()),n.asking===!1&&s.open&&this.focusIn(".ask")&&this.updateComplete.then(()=>this.row(e)?.querySelector(".expander")?.focus())}async settle(e,n,s){this.views.set(e.id,{...this.views.get(e.id),busy:!0}),this.dropNotes(e.id);let r=await n,a={...this.views.get(e.id)};if(delete a.busy,r){a.refusal=r;let{what:o,remedy:l}=this.words.error(r.code,r.message);this.announce(`${o} ${l}`)}else this.announce(s);this.views.set(e.id,a),this.requestUpdate()}dropNotes(e){let n={...this.views.get(e)};delete n.refusal,delete n.note,this.views.set(e,n),this.requestUpdate()}act(e,n){let s=this.config?.confirm??!0;if(n==="delete"&&s&&!this.views.get(e.id)?.asking){this.view(e.id,{asking:!0,picking:!1});return}n==="delete"&&this.view(e.id,{asking:!1});let r=this.words.text("done",{action:this.words.text(n)});this.settle(e,this.send(et(e,n)),r)}play(e){let{_hass:n,config:s}=this,r=s&&O(s,this.model,e);!n||!r||this.settle(e,this.dialog.open(n,r,e,e.title||this.words.text("untitled")),"")}async playOn(e,n){let{_hass:s,config:r}=this,a=r&&O(r,this.model,e);if(!s||!a)return;let o=this.words.text("playing_on",{player:n.name});await this.settle(e,je(s,n.id,a,e),o),this.views.get(e.id)?.refusal||this.view(e.id,{note:o,picking:!1})}row(e){return this.find(`[data-job="${CSS.escape(e)}"]`)}focusIn(e){return this.root.activeElement?.closest(e)}beforeUpdate(){let e=this.focusIn("[data-job]");if(this.focused=void 0,!(e instanceof HTMLElement)||!e.parentElement)return;let n=[...e.parentElement.children].map(r=>r.dataset.job??""),s=n.indexOf(e.dataset.job??"");this.focused={job:e.dataset.job??"",section:e.dataset.section??"",neighbours:[...n.slice(s+1),...n.slice(0,s).reverse()]}}afterUpdate(){this.schedule(),this.growLists(),this.keepFocus()}keepFocus(){let e=this.focused;if(!e||this.root.activeElement)return;let s=e.neighbours.find(a=>this.row(a)?.dataset.section===e.section)??e.job;(this.row(s)?.querySelector(".main:not(:disabled), .expander")??this.find("#source:not(:disabled)")??this.find("h2"))?.focus()}limit(e){let n=e.key==="finished"?this.config?.finished:void 0;return this.limits.get(e.key)??n??e.limit}toggleList(e){this.limits.has(e.key)?this.limits.delete(e.key):this.limits.set(e.key,this.limit(e)+dt),this.requestUpdate()}growLists(){let e=xe.filter(n=>{let s=this.limits.get(n.key);return s!==void 0&&s<se(n,this.model.jobs).length});e.length&&requestAnimationFrame(()=>{for(let n of e){let s=this.limits.get(n.key);s!==void 0&&this.limits.set(n.key,s+dt)}this.requestUpdate()})}get enabled(){return this.model.phase==="ready"&&!this.model.storageLost}shared(){let{words:e,config:n={type:ae},enabled:s,readOnly:r,tiles:a}=this;return{words:e,enabled:s,readOnly:r,thumbnails:n.thumbnails??!0,tiles:a.ready?a:void 0,players:()=>this._hass?Xe(this._hass,n):[],mediaId:o=>O(n,this.model,o),mediaPage:o=>Ze(n,this.model,o),act:(o,l)=>this.act(o,l),play:o=>this.play(o),playOn:(o,l)=>{this.playOn(o,l)},view:(o,l)=>this.view(o,l)}}moving(e){let n=this.reckoning.left(e,this.now);return{progress:this.reckoning.progress(e,this.now),left:n===void 0?"":this.words.text("left",{time:this.words.span(n)}),tile:this.tiles.of(e)}}rowItem(e,n,s){let r=this.views.get(e.id)??on;return d`<li class="row ${n} ${e.status} ${r.open?"open":""}" data-job=${e.id} data-section=${n} > ${nt(e,r,this.moving(e),this.now,s)} </li>`}list(e,n){let{words:s,model:r}=this,a=se(e,r.jobs);if(!a.length)return u;let o=s.text(e.key),l=e.key==="waiting"?r.more:0,p=this.limit(e),f=this.limits.has(e.key),c=a.length>(e.key==="finished"?this.config?.finished??e.limit:e.limit);return d`<section aria-labelledby="section-${e.key}"> <div class="head"> <h3 id="section-${e.key}"> ${o}<span class="count">${s.number(a.length+l)}</span> </h3> ${e.all&&a.length>1&&!this.readOnly?d`<button ?disabled=${!this.enabled} @click=${()=>{this.send(e.all?.command??{})}}> ${s.text(e.all.label)} </button>`:u} ${c?d`<button aria-expanded=${f} aria-label=${s.text(f?"show_fewer_of":"show_all_of",{section:o})} @click=${()=>this.toggleList(e)} > ${s.text(f?"show_fewer":"show_all")} </button>`:u} </div> <ul class=${a.length>1?"many":""}> ${Ve(a.slice(0,p),h=>h.id,h=>this.rowItem(h,e.key,n))} </ul> ${l?d`<p class="hint">${s.text("more",{n:l})}</p>`:u} </section>`}header(){let{words:e,model:n}=this,s=n.phase==="ready",r=n.jobs.filter(o=>s&&v.includes(o.status)),a=r.reduce((o,l)=>o+(l.speed??0),0);return d`<header> <h2 tabindex="-1" dir="auto">${this.config?.title||e.text("title")}</h2> <p class="summary"> ${be([[a?e.speed(a):void 0],[r.length?e.text("is_running",{n:r.length}):void 0,"minor"],[n.free===void 0?void 0:e.text("free",{size:e.size(n.free)}),"minor rare"]])} </p> ${s&&!n.pauseReason&&!this.readOnly&&!n.storageLost?d`<button class="text quiet" aria-label=${e.text("pause_all_long")} @click=${()=>{this.hold("pause")}} > ${g("pause")}<span>${e.text("pause_all")}</span> </button>`:u} </header>`}async hold(e){let n=await this.send({command:e});if(!n)return;let{what:s,remedy:r}=this.words.error(n.code,n.message);this.announce(`${s} ${r}`)}notice(){let{words:e,model:n,now:s}=this,r=n.since===void 0?"":e.moment(n.since,s);if(n.phase==="offline"){let a=e.text(n.jobs.length?"off_how":"off_how_empty");return{css:"grey",name:"off",what:e.text("off_since",{time:r}),how:a}}if(n.phase==="ready"){if(n.storageLost)return{css:"red",name:"alert",what:e.text("storage_lost"),how:e.text("storage_lost_how")};switch(n.pauseReason){case"quiet_hours":{let a=n.pauseUntil;return{css:"grey",name:"moon",what:a===void 0?e.text("pause_quiet_hours"):e.text("pause_quiet_hours_until",{time:e.moment(a,s)})}}case"disk_low":{let a=n.free===void 0?"":e.size(n.free);return{css:"",name:"disk",what:e.text("pause_disk_low",{size:a})}}case"updating":return{css:"grey",name:"clock",what:e.text("pause_updating")};case void 0:return n.status==="error"?{css:"red",name:"alert",what:e.text("error_state")}:void 0;default:return{css:"",name:"pause",what:e.text("pause_user"),resume:!0}}}}bannerTemplate(){let{words:e}=this,n=this.notice(),s=n?`${n.what} ${n.how??""}`:"";return s!==this.banner&&(this.hasUpdated&&s&&(this.live=s),this.banner=s),n?d`<div class="banner ${n.css}"> ${g(n.name)} <div> <strong>${n.what}</strong> ${n.how?d`<p>${n.how}</p>`:u} </div> ${n.resume&&!this.readOnly?d`<button class="text" aria-label=${e.text("resume_all_long")} @click=${()=>{this.hold("resume")}} > ${g("play")}<span>${e.text("resume_all")}</span> </button>`:u} </div>`:u}empty(){let{words:e}=this,n=(this.config?.add??!0)&&!this.readOnly;return d`<div class="empty"> ${g("drop")} <strong>${e.text("empty")}</strong> <p>${e.text(n?"empty_how":"empty_read")}</p> </div>`}missing(){let{words:e}=this,n=this.config?.entity;return d`<div class="empty"> ${g("drop")} <strong>${n?e.text("missing_entity",{entity:n}):e.text("missing")}</strong> <p>${e.text(n?"missing_entity_how":"missing_how")}</p> ${n?u:d`<ul class="example" inert aria-hidden="true"> ${ln.map(s=>this.rowItem({...s,title:e.text(s.title)},"finished",this.shared()))} </ul>`} </div>`}content(){let{words:e,model:n,config:s}=this;if(n.phase==="missing")return this.missing();if(n.phase==="starting"&&!n.jobs.length)return d`<p class="hint">${g("clock")}${e.text("starting")}</p>`;let r=this.shared(),a=s?.sections,o=xe.filter(p=>!a||a.includes(p.key)),l=o.some(p=>se(p,n.jobs).length);return d` ${this.bannerTemplate()} ${this.readOnly?d`<p class="hint">${e.text("look_only")}</p>`:u} ${(s?.add??!0)&&!this.readOnly?this.field.render(n,e,this.enabled):u} ${o.map(p=>this.list(p,r))} ${l||n.phase!=="ready"?u:this.empty()} `}template(){if(!this.config||!this._hass)return u;let{words:e,model:n}=this,s=getComputedStyle(this).direction==="rtl"?"rtl":"";return d`<ha-card lang=${e.language} @dragenter=${this.dragged} @dragover=${this.dragged} @dragleave=${this.dragged} @drop=${this.dragged} > <div class="card ${s} ${n.phase}">${this.header()} ${this.content()}</div> ${this.dropping>0?d`<div class="drop" aria-hidden="true">${g("drop")}${e.text("drop")}</div>`:u} <div class="hidden" role="status">${this.live}</div> ${this.dialog.render(e)} </ha-card>`}};customElements.get(ae)||(customElements.define(ae,$e),(window.customCards??=[]).push({type:ae,name:"Downloads (mediarip-mqtt)",description:"Add, follow and play downloads.",preview:!0,getEntitySuggestion:st}));export{$e as MediaripCard};
