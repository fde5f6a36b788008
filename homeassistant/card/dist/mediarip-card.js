/* mediarip-card, built from homeassistant/card. Contains Lit, (c) Google, BSD-3-Clause. */
var se=globalThis,ye=s=>s,I=se.trustedTypes,ve=I?I.createPolicy("lit-html",{createHTML:s=>s}):void 0,$e="$lit$",_=`lit$${Math.random().toFixed(9).slice(2)}$`,Ae="?"+_,Qe=`<${Ae}>`,A=document,R=()=>A.createComment(""),D=s=>s===null||typeof s!="object"&&typeof s!="function",re=Array.isArray,Ze=s=>re(s)||typeof s?.[Symbol.iterator]=="function",X=`[ 	
\f\r]`,M=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,be=/-->/g,xe=/>/g,k=RegExp(`>|${X}(?:([^\\s"'>=/]+)(${X}*=${X}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),we=/'/g,_e=/"/g,Te=/^(?:script|style|textarea|title)$/i,oe=s=>(t,...e)=>({_$litType$:s,strings:t,values:e}),c=oe(1),Jt=oe(2),Bt=oe(3),z=Symbol.for("lit-noChange"),l=Symbol.for("lit-nothing"),ke=new WeakMap,$=A.createTreeWalker(A,129);function Se(s,t){if(!re(s)||!s.hasOwnProperty("raw"))throw Error("invalid template strings array");return ve!==void 0?ve.createHTML(t):t}var Xe=(s,t)=>{let e=s.length-1,n=[],i,r=t===2?"<svg>":t===3?"<math>":"",o=M;for(let d=0;d<e;d++){let a=s[d],u,h,p=-1,m=0;for(;m<a.length&&(o.lastIndex=m,h=o.exec(a),h!==null);)m=o.lastIndex,o===M?h[1]==="!--"?o=be:h[1]!==void 0?o=xe:h[2]!==void 0?(Te.test(h[2])&&(i=RegExp("</"+h[2],"g")),o=k):h[3]!==void 0&&(o=k):o===k?h[0]===">"?(o=i??M,p=-1):h[1]===void 0?p=-2:(p=o.lastIndex-h[2].length,u=h[1],o=h[3]===void 0?k:h[3]==='"'?_e:we):o===_e||o===we?o=k:o===be||o===xe?o=M:(o=k,i=void 0);let f=o===k&&s[d+1].startsWith("/>")?" ":"";r+=o===M?a+Qe:p>=0?(n.push(u),a.slice(0,p)+$e+a.slice(p)+_+f):a+_+(p===-2?d:f)}return[Se(s,r+(s[e]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),n]},E=class s{constructor({strings:t,_$litType$:e},n){let i;this.parts=[];let r=0,o=0,d=t.length-1,a=this.parts,[u,h]=Xe(t,e);if(this.el=s.createElement(u,n),$.currentNode=this.el.content,e===2||e===3){let p=this.el.content.firstChild;p.replaceWith(...p.childNodes)}for(;(i=$.nextNode())!==null&&a.length<d;){if(i.nodeType===1){if(i.hasAttributes())for(let p of i.getAttributeNames())if(p.endsWith($e)){let m=h[o++],f=i.getAttribute(p).split(_),b=/([.?@])?(.*)/.exec(m);a.push({type:1,index:r,name:b[2],strings:f,ctor:b[1]==="."?ee:b[1]==="?"?te:b[1]==="@"?ne:S}),i.removeAttribute(p)}else p.startsWith(_)&&(a.push({type:6,index:r}),i.removeAttribute(p));if(Te.test(i.tagName)){let p=i.textContent.split(_),m=p.length-1;if(m>0){i.textContent=I?I.emptyScript:"";for(let f=0;f<m;f++)i.append(p[f],R()),$.nextNode(),a.push({type:2,index:++r});i.append(p[m],R())}}}else if(i.nodeType===8)if(i.data===Ae)a.push({type:2,index:r});else{let p=-1;for(;(p=i.data.indexOf(_,p+1))!==-1;)a.push({type:7,index:r}),p+=_.length-1}r++}}static createElement(t,e){let n=A.createElement("template");return n.innerHTML=t,n}};function T(s,t,e=s,n){if(t===z)return t;let i=n!==void 0?e._$Co?.[n]:e._$Cl,r=D(t)?void 0:t._$litDirective$;return i?.constructor!==r&&(i?._$AO?.(!1),r===void 0?i=void 0:(i=new r(s),i._$AT(s,e,n)),n!==void 0?(e._$Co??=[])[n]=i:e._$Cl=i),i!==void 0&&(t=T(s,i._$AS(s,t.values),i,n)),t}var j=class{constructor(t,e){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=e}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:e},parts:n}=this._$AD,i=(t?.creationScope??A).importNode(e,!0);$.currentNode=i;let r=$.nextNode(),o=0,d=0,a=n[0];for(;a!==void 0;){if(o===a.index){let u;a.type===2?u=new C(r,r.nextSibling,this,t):a.type===1?u=new a.ctor(r,a.name,a.strings,this,t):a.type===6&&(u=new ie(r,this,t)),this._$AV.push(u),a=n[++d]}o!==a?.index&&(r=$.nextNode(),o++)}return $.currentNode=A,i}p(t){let e=0;for(let n of this._$AV)n!==void 0&&(n.strings!==void 0?(n._$AI(t,n,e),e+=n.strings.length-2):n._$AI(t[e])),e++}},C=class s{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,e,n,i){this.type=2,this._$AH=l,this._$AN=void 0,this._$AA=t,this._$AB=e,this._$AM=n,this.options=i,this._$Cv=i?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,e=this._$AM;return e!==void 0&&t?.nodeType===11&&(t=e.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,e=this){t=T(this,t,e),D(t)?t===l||t==null||t===""?(this._$AH!==l&&this._$AR(),this._$AH=l):t!==this._$AH&&t!==z&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):Ze(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==l&&D(this._$AH)?this._$AA.nextSibling.data=t:this.T(A.createTextNode(t)),this._$AH=t}$(t){let{values:e,_$litType$:n}=t,i=typeof n=="number"?this._$AC(t):(n.el===void 0&&(n.el=E.createElement(Se(n.h,n.h[0]),this.options)),n);if(this._$AH?._$AD===i)this._$AH.p(e);else{let r=new j(i,this),o=r.u(this.options);r.p(e),this.T(o),this._$AH=r}}_$AC(t){let e=ke.get(t.strings);return e===void 0&&ke.set(t.strings,e=new E(t)),e}k(t){re(this._$AH)||(this._$AH=[],this._$AR());let e=this._$AH,n,i=0;for(let r of t)i===e.length?e.push(n=new s(this.O(R()),this.O(R()),this,this.options)):n=e[i],n._$AI(r),i++;i<e.length&&(this._$AR(n&&n._$AB.nextSibling,i),e.length=i)}_$AR(t=this._$AA.nextSibling,e){for(this._$AP?.(!1,!0,e);t!==this._$AB;){let n=ye(t).nextSibling;ye(t).remove(),t=n}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},S=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,e,n,i,r){this.type=1,this._$AH=l,this._$AN=void 0,this.element=t,this.name=e,this._$AM=i,this.options=r,n.length>2||n[0]!==""||n[1]!==""?(this._$AH=Array(n.length-1).fill(new String),this.strings=n):this._$AH=l}_$AI(t,e=this,n,i){let r=this.strings,o=!1;if(r===void 0)t=T(this,t,e,0),o=!D(t)||t!==this._$AH&&t!==z,o&&(this._$AH=t);else{let d=t,a,u;for(t=r[0],a=0;a<r.length-1;a++)u=T(this,d[n+a],e,a),u===z&&(u=this._$AH[a]),o||=!D(u)||u!==this._$AH[a],u===l?t=l:t!==l&&(t+=(u??"")+r[a+1]),this._$AH[a]=u}o&&!i&&this.j(t)}j(t){t===l?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},ee=class extends S{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===l?void 0:t}},te=class extends S{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==l)}},ne=class extends S{constructor(t,e,n,i,r){super(t,e,n,i,r),this.type=5}_$AI(t,e=this){if((t=T(this,t,e,0)??l)===z)return;let n=this._$AH,i=t===l&&n!==l||t.capture!==n.capture||t.once!==n.once||t.passive!==n.passive,r=t!==l&&(n===l||i);i&&this.element.removeEventListener(this.name,this,n),r&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},ie=class{constructor(t,e,n){this.element=t,this.type=6,this._$AN=void 0,this._$AM=e,this.options=n}get _$AU(){return this._$AM._$AU}_$AI(t){T(this,t)}};var je=se.litHtmlPolyfillSupport;je?.(E,C),(se.litHtmlVersions??=[]).push("3.3.3");var ae=(s,t,e)=>{let n=e?.renderBefore??t,i=n._$litPart$;if(i===void 0){let r=e?.renderBefore??null;n._$litPart$=i=new C(t.insertBefore(R(),r),r,void 0,e??{})}return i._$AI(s),i};var et={add:"M12 5v14M5 12h14",alert:"M12 4 2.8 19.5h18.4zM12 10v4.5M12 17.2v.1",audio:"M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM19 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z",clock:"M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3 2",close:"M6.5 6.5l11 11M17.5 6.5l-11 11",disk:"M4 14h16M6 5h12l2 9v5H4v-5zM16.5 16.6v.1",done:"M5 12.5l4.5 4.5L19 7.5",down:"M6 9.5l6 6 6-6",drop:"M12 4v11M7 10.5l5 5 5-5M5 20h14",moon:"M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",off:"M4 4l16 16M8.5 8.6a6 6 0 0 0-1 8.9h9.9M10.7 6.7a6 6 0 0 1 6.7 4.8 3.6 3.6 0 0 1 2.2 5.6",options:"M4 8h9M18 8h2M4 16h2M11 16h9M15.5 5.8v4.4M8.5 13.8v4.4",pause:"M9 6v12M15 6v12",play:"M8.5 5.5v13l10.5-6.5z",playlist:"M4 6.5h16M4 11.5h9M4 16.5h9M16 13v6l4.5-3z",retry:"M5 12a7 7 0 1 1 2.2 5.1M5 20v-4.5h4.5",video:"M4 6h16v12H4zM10 9.5v5l4.5-2.5z"};function x(s){return c`<svg viewBox="0 0 24 24" aria-hidden="true" class="icon ${s}-icon"><path d=${et[s]} /></svg>`}function g(s,t,e={}){let{css:n="",name:i,disabled:r=!1,busy:o=!1,expanded:d,type:a="button"}=e;return c`<button type=${a} class=${n} title=${n.startsWith("round")?s:l} aria-label=${i??l} aria-expanded=${d??l} aria-disabled=${o||l} ?disabled=${r} @click=${o?null:t} > ${e.icon?x(e.icon):l}${n.startsWith("round")?l:c`<span>${s}</span>`} </button>`}var tt=["phase","filename","priority","error_code"],nt=["error","category"],it=["progress","speed","eta","size","tile","duration"],st=["at","next_retry_at","completed_at"],y=["extracting","downloading","processing"],rt=[...y,"queued","paused","retrying","review","completed","failed","cancelled"],ce={id:"",status:"completed",title:"",site:"videos.example",kind:"video",done:void 0,total:void 0,keep:!1},Me=s=>typeof s=="object"&&s!==null,w=s=>typeof s=="string"&&s.trim()?s:void 0,ot=/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g,q=s=>s.replace(ot," ").trim(),de=s=>w(q(w(s)??"")),H=s=>typeof s=="number"&&Number.isFinite(s)&&s>=0?s:void 0,le=s=>{let t=typeof s=="string"?Date.parse(s):NaN;return Number.isNaN(t)?void 0:t};function at(s){if(!Me(s))return;let t=w(s.id),e=w(s.status);if(!t||!e||!rt.includes(e))return;let n=Me(s.items)?s.items:{},i={id:t,status:e,title:de(s.title)??"",site:de(s.site)??"",kind:w(s.kind)??"video",done:H(n.completed),total:H(n.total),keep:s.keep===!0};for(let r of tt)i[r]=w(s[r]);for(let r of nt)i[r]=de(s[r]);for(let r of it)i[r]=H(s[r]);for(let r of st)i[r]=le(s[r]);return i}var dt={response:"recent",finished:"finished",failed:"failed",tiles:"tiles"},P=class{constructor(t){this.status=t;this.ids=[];this.seen=[];this.roles={status:t}}update(t){if(t.entities!==this.registry){this.registry=t.entities;let i=t.entities?.[this.status]?.device_id,r=Object.keys(t.entities??{});this.ids=i?r.filter(o=>t.entities?.[o]?.device_id===i):[],this.ids.includes(this.status)||this.ids.push(this.status),this.roles={status:this.status}}this.findRoles(t);let e=Object.values(this.roles).map(i=>t.states[i]),n=e.length!==this.seen.length||e.some((i,r)=>i!==this.seen[r]);return this.seen=e,n}findRoles(t){let e=this.roles;if(e.notify&&e.response&&e.finished&&e.failed&&e.tiles&&e.preset)return;let n=t.states[this.status]?.attributes.presets;for(let i of this.ids){let r=t.states[i];if(r)if(i.startsWith("notify."))e.notify??=i;else if(i.startsWith("select.")){let o=r.attributes.options;Array.isArray(n)&&String(o)===String(n)&&(e.preset??=i)}else for(let[o,d]of Object.entries(dt))d in r.attributes&&(e[o]??=i)}}},ue={phase:"missing",status:"",jobs:[],presets:[],storageLost:!1,more:0};function lt(s){return s?s.state==="unavailable"?"offline":s.state==="unknown"||!("jobs"in s.attributes)?"starting":"ready":"missing"}function Re(s,t,e){let n=s.states[t.status],i=lt(n),r=le(n?.last_changed);if(!n||i!=="ready"){let m=e.jobs.map(f=>({...f,speed:void 0,eta:void 0}));return{...e,phase:i,since:r,jobs:m,free:void 0,storageLost:!1}}let o=n.attributes,d=(m,f)=>{let b=s.states[m??""]?.attributes[f];return Array.isArray(b)?b:[]},{status:a,failed:u,finished:h}=t,p=new Map;for(let m of[...d(a,"jobs"),...d(u,"failed"),...d(h,"finished")]){let f=at(m);f&&!p.has(f.id)&&p.set(f.id,f)}return{phase:i,since:r,status:n.state,jobs:[...p.values()],presets:d(a,"presets").filter(m=>typeof m=="string"),preset:w(s.states[t.preset??""]?.state),pauseReason:w(o.pause_reason),pauseUntil:le(o.pause_until),storageLost:o.storage==="lost"||n.state==="storage_lost",free:H(o.disk_free),more:H(o.more)??0,media:w(o.media)}}var ct=5,W=class{constructor(){this.newest=0;this.offset=0;this.shown=new Map}observe(t,e){let n=Math.max(0,...t.map(i=>i.at??0));n<=this.newest||((this.newest||n>e)&&(this.offset=e-n),this.newest=n)}elapsed(t,e){return t.at===void 0?0:Math.max(0,(e-this.offset-t.at)/1e3)}progress(t,e){let{progress:n,eta:i}=t;if(n===void 0||!y.includes(t.status))return n;if(!i)return Math.min(n,100);let r=Math.min(Math.max(n,99),n+(100-n)*this.elapsed(t,e)/i),o=this.shown.get(t.id)??0;return r<o&&r>o-ct?o:(this.shown.set(t.id,r),r)}left(t,e){if(t.eta===void 0||!y.includes(t.status))return;let n=t.eta-this.elapsed(t,e);return n>0?n:void 0}};function ut(){let s=crypto.getRandomValues(new Uint8Array(9));return"card"+Array.from(s,t=>t.toString(16).padStart(2,"0")).join("")}function F(s){let{code:t,message:e}=s??{};return{code:t==="unauthorized"||e==="Unauthorized"?"read_only":"call_failed",message:String(e??s??"")}}var U=class{constructor(){this.waiting=new Map}async send(t,e,n){let{notify:i}=e.roles;if(!i)return{code:"no_door",message:""};let r=ut(),o=JSON.stringify({...n,request_id:r}),d=new Promise(a=>{let u=window.setTimeout(()=>{let h=e.roles.response!==void 0;this.settle(r,h?{code:"no_answer",message:""}:null)},1e4);this.waiting.set(r,{resolve:a,timer:u})});try{await t.callService("notify","send_message",{message:o},{entity_id:i},!1)}catch(a){this.settle(r,F(a))}return d}observe(t,e){if(!this.waiting.size)return;let n=t.states[e.response??""]?.attributes.recent;for(let i of Array.isArray(n)?n:[]){let{request_id:r,ok:o,error_code:d,error:a}=i;typeof r=="string"&&this.waiting.has(r)&&this.settle(r,o===!0?null:{code:String(d??""),message:String(a??"")})}}settle(t,e){let n=this.waiting.get(t);n&&(this.waiting.delete(t),clearTimeout(n.timer),n.resolve(e))}};var pt=512;function De(s,t){return s&&t.filename&&t.status==="completed"?`${s.replace(/\/+$/,"")}/${t.filename}`:void 0}function ze(s){return`/media-browser/browser/${["app,media-source://media_source",`,${s.slice(0,s.lastIndexOf("/"))}`].map(encodeURIComponent).join("/")}`}function Ee(s,t){let e=t.players?.length?t.players:Object.keys(s.states).filter(i=>i.startsWith("media_player.")),n=[];for(let i of e){let r=s.states[i],o=(Number(r?.attributes.supported_features)&pt)!==0;r&&o&&r.state!=="unavailable"&&n.push({id:i,name:String(r.attributes.friendly_name??i)})}return n.sort((i,r)=>i.name.localeCompare(r.name))}async function Ce(s,t,e,n){let i={media_content_id:e,media_content_type:n.kind==="audio"?"music":"video"};try{await s.callService("media_player","play_media",i,{entity_id:t},!1)}catch(r){return F(r)}return null}var J=class{constructor(t){this.host=t;this.closed=()=>{this.playing=void 0,this.host.requestUpdate()};this.clicked=t=>{t.target===this.dialog&&this.dialog?.close()};this.failed=()=>{this.playing&&(this.playing={...this.playing,failed:!0},this.host.requestUpdate())}}async open(t,e,n,i){try{let r=await t.callWS({type:"media_source/resolve_media",media_content_id:e}),o=t.hassUrl?.(r.url)??r.url,d=r.mime_type.startsWith("audio/")||n.kind==="audio";this.playing={title:i,url:o,audio:d,failed:!1}}catch(r){let o=F(r);return o.code==="read_only"?o:{...o,code:"cannot_resolve"}}return this.host.requestUpdate(),await this.host.updateComplete,this.dialog?.showModal(),null}get dialog(){return this.host.find("dialog")}render(t){let e=this.playing;if(!e)return l;let n=e.audio?c`<audio controls autoplay src=${e.url} @error=${this.failed}></audio>`:c`<video controls autoplay playsinline src=${e.url} @error=${this.failed}></video>`;return c`<dialog aria-labelledby="playing" @close=${this.closed} @click=${this.clicked}> <header> <h2 id="playing" dir="auto">${e.title}</h2> ${g(t.text("close"),()=>this.dialog?.close(),{css:"round",icon:"close",name:t.text("close")})} </header> ${n} ${e.failed?c`<p role="alert">${t.text("cannot_play")}</p>`:l} </dialog>`}};function He({id:s},t){switch(t){case"next":return{command:"prioritize",id:s,priority:"high"};case"normal":return{command:"prioritize",id:s,priority:"normal"};case"keep":case"unkeep":return{command:"keep",id:s,keep:t==="keep"};case"remove":return{command:"clear",id:s};case"delete":return{command:"delete",id:s,files:!0};default:return{command:t,id:s}}}function Le(s){let t=s.priority==="high"?"normal":"next";switch(s.status){case"queued":case"retrying":return["cancel","pause",t];case"paused":return["resume","cancel",t];case"completed":return[void 0,s.keep?"unkeep":"keep","remove","delete"];case"failed":case"cancelled":return["retry","remove"];default:return y.includes(s.status)?["cancel","pause"]:[void 0]}}var ht={cancel:"close",retry:"retry",resume:"play"},mt=["extracting","merging","converting","subtitles","moving","processing"];function Ne(s,t){let e=[s.phase,s.status].find(n=>n&&mt.includes(n));return e?t.text(e):""}function pe(s){return s.filter(([t])=>t).map(([t,e],n)=>c`<span class=${e??""}>${n?" · ":""}<bdi>${t}</bdi></span>`)}function ft(s,t,{words:e,now:n}){let i=[s.site,"minor"],r=s.size&&e.size(s.size),o=[s.total&&e.text("of",{done:s.done??0,total:s.total})||""],d=s.priority==="high"||s.priority==="low"?s.priority:void 0,a=[d&&e.text("action_of",{action:e.text("priority"),title:e.text(d)})],u=e.error(s.error_code,s.error)[0],h=t.progress?e.percent(t.progress):"";switch(s.status){case"completed":return[[s.completed_at?e.moment(s.completed_at,n):e.text("finished")],o,[r||""],[s.keep&&e.text("kept")],[q(s.filename?.split("/").slice(0,-1).join("/")??""),"minor"],i];case"failed":return[[u]];case"retrying":{let p=s.next_retry_at;return[[p?e.text("retrying",{time:e.moment(p,n)}):e.text("waiting")],[s.error_code&&u,"minor"],a]}case"queued":case"paused":case"review":case"cancelled":return[[e.text(s.status)],[h],o,a,i];default:{let p=Ne(s,e);return[[p],[h],o,[t.left],[!p&&s.speed&&e.speed(s.speed)||""],i]}}}function gt(s,{tile:t},{tiles:e,words:n}){let i=s.kind==="audio"||s.kind==="playlist"?s.kind:"video",r=s.status==="failed",o=e.ready&&t!==void 0&&t<e.columns*e.rows,d="";if(o){let a=100*(t%e.columns)/(e.columns-1||1),u=100*Math.floor(t/e.columns)/(e.rows-1||1);d=`background:var(--tiles) ${a}% ${u}%/${e.columns*100}% ${e.rows*100}%`}return c`<div class="thumb" aria-hidden="true" style=${d}> ${r||!o?x(r?"alert":i):l} ${s.duration?c`<span class="length">${n.length(s.duration)}</span>`:l} </div>`}function yt(s,{progress:t,left:e},n,i){let r=s.status==="paused";if(!y.includes(s.status)&&!(r&&t))return l;let o=Ne(s,i),d=t===void 0||s.status==="extracting"&&!t,a=d?l:Math.floor(t),u=[d?"":i.percent(t),o||e].filter(Boolean);return c`<div class="bar ${d?"busy":r?"still":""}" role="progressbar" aria-label=${i.text("action_of",{action:i.text("progress"),title:n})} aria-valuenow=${a} aria-valuetext=${u.join(", ")} > <div style=${d?"":`--done:${(t/100).toFixed(4)}`}></div> </div>`}function vt(s,{words:t,now:e}){let n=s.status==="failed"||s.status==="retrying",i=[["site",s.site],["size",s.size&&t.size(s.size)],["duration",s.duration&&t.length(s.duration)],["finished",s.completed_at&&t.moment(s.completed_at,e)],["category",s.category],["file",s.filename&&q(s.filename),"long"],["message",n&&s.error,"long"]];return c`<dl> ${i.map(([r,o,d])=>o?c`<div class=${d??""}><dt>${t.text(r)}</dt><dd dir="auto">${o}</dd></div>`:l)} </dl>`}function bt(s,t,e){let{words:n}=e,i=()=>e.view(s.id,{asking:!1}),r=o=>o.key==="Escape"&&i();return c`<div class="ask" role="group" aria-labelledby="ask-${s.id}" @keydown=${r}> <span id="ask-${s.id}">${n.text("delete_ask")}</span> ${g(n.text("delete"),()=>e.act(s,"delete"),{css:"danger",name:t("delete")})} ${g(n.text("back"),i)} </div>`}function xt(s,t,e){let{words:n}=e,i=e.mediaId(s),r=t.picking??!1,o=()=>e.view(s.id,{picking:!r}),[,...d]=Le(s);return c`<div class="actions"> ${i?c`${g(n.text("play_on"),o,{expanded:r})} <a href=${ze(i)}>${n.text("show_media")}</a>`:l} ${d.map(a=>g(a==="normal"?n.text("action_of",{action:n.text("priority"),title:n.text("normal")}):n.text(a),()=>e.act(s,a),{css:a==="delete"?"danger":"",disabled:!e.enabled,busy:t.busy}))} </div>`}function wt(s,t){let e=t.players();return e.length?c`<div class="actions" role="group" aria-label=${t.words.text("play_on")}> ${e.map(n=>g(n.name,()=>{t.playOn(s,n)},{icon:"play"}))} </div>`:c`<p class="hint">${t.words.text("no_players")}</p>`}function _t(s,t,e,n){let{words:i,readOnly:r}=n,[,o]=s.error_code?i.error(s.error_code,s.error):[],d=s.status==="completed"&&s.filename&&!n.mediaId(s);return c`<div class="more"> ${o?c`<p>${o}</p>`:l} ${vt(s,n)} ${d?c`<p class="hint">${i.text("no_media")}</p>`:l} ${r?l:t.asking?bt(s,e,n):xt(s,t,n)} ${t.picking&&!r?wt(s,n):l} </div>`}function L(s,t){if(!s)return l;let[e,n]=t.error(s.code,s.message);return c`<p class="hint refusal">${x("alert")}<span>${e} ${n}</span></p>`}function kt(s,t,e,n){let{words:i,enabled:r,readOnly:o}=n,d="round main";if(n.mediaId(s)){let u=()=>n.play(s);return g(i.text("play"),u,{css:d,icon:"play",name:e("play"),busy:t.busy})}let[a]=Le(s);return!a||o?l:g(i.text(a),()=>n.act(s,a),{css:d,icon:ht[a]??"close",name:e(a),disabled:!r,busy:t.busy})}function Oe(s,t,e,n){let{words:i}=n,r=s.title||i.text("untitled"),o=u=>i.text("action_of",{action:i.text(u),title:r}),d=t.open??!1,a=()=>n.view(s.id,{open:!d,asking:!1,picking:!1});return c`<div class="line"> ${n.thumbnails?gt(s,e,n):l} <div class="body" @click=${a}> <div class="name ${s.title?"":"untitled"}" dir="auto" title=${r}>${r}</div> <div class="meta">${pe(ft(s,e,n))}</div> ${yt(s,e,r,i)} </div> ${kt(s,t,o,n)} ${g(i.text("details"),a,{css:"round expander",icon:"down",name:o("details"),expanded:d})} </div> ${L(t.refusal,i)} ${t.note?c`<p class="hint">${t.note}</p>`:l} ${d?_t(s,t,o,n):l}`}var $t=/https?:\/\/[^\s<>"]+/gi,At=/^(\S*:\/\/\S*|[^\s/:@]+\.[a-z]{2,}(:\d+)?([/?#]\S*)?)$/i,he="#source";function B(s){return[...new Set(s.match($t)??[])]}function Tt(s){let t=s.trim(),[e]=B(t);return e?{url:e}:At.test(t)?{url:t}:{query:t}}var V=class{constructor(t){this.host=t;this.open=!1;this.sound=!1;this.links=[];this.sending=!1;this.refusal=null;this.pasted=t=>{let e=B(t.clipboardData?.getData("text")??"");e.length<2||(t.preventDefault(),this.ask(e))};this.submitted=t=>{t.preventDefault();let e=this.field?.value??"",n=B(e);n.length>1?this.ask(n):e.trim()&&!this.sending&&this.send([Tt(e)],e)}}drop(t){let e=t.getData("text/uri-list").replace(/^#.*$/gm,""),n=B(e||t.getData("text/plain"));n.length>1?this.ask(n):n[0]&&!this.sending&&this.send([{url:n[0]}],n[0])}ask(t){this.sending||(this.links=t,this.refusal=null,this.changed(".ask button"))}changed(t){this.host.requestUpdate(),t&&this.host.updateComplete.then(()=>this.host.find(t)?.focus())}get field(){return this.host.find(he)}chosen(){let t=this.host.find("form"),e={};for(let[n,i]of t?new FormData(t):[]){let r=String(i).trim();r&&(e[n]=n==="not_before"?new Date(r).toISOString():r)}return e}async send(t,e){let{host:n}=this,i=this.chosen();this.refusal=null,this.sending=!0;for(let r of t){if(this.changed(),this.refusal=await n.send({command:"download",...r,...i}),this.refusal)break;this.links=this.links.slice(1)}this.sending=!1,this.field&&(this.field.value=this.refusal?e:""),n.tell(this.refusal,n.words.text("added")),this.changed(he)}select(t,e,n,i=!1){return c`<select name=${t} aria-label=${e} ?disabled=${i}> ${n.map(([r,o])=>c`<option value=${r}>${o}</option>`)} </select>`}formats(t,e){let n=o=>o==="best"?e.text("best"):o,i=e.text("default_format")+(t.preset?` (${n(t.preset)})`:""),r=t.presets.map(o=>[o,n(o)]);return this.select("preset",e.text("format"),[["",i],...r],this.sound)}options(t){let e=(i,r)=>c`<label><span>${t.text(i)}</span>${r}</label>`,n=["normal","high","low"].map(i=>[i==="normal"?"":i,t.text(i)]);return c`<div class="options"> <label class="check"> <input type="checkbox" name="media_type" value="audio" @change=${()=>{this.sound=!this.sound,this.changed()}} />${t.text("sound_only")} </label> ${e("folder",c`<input name="folder" autocapitalize="off" spellcheck="false" dir="auto" />`)} ${e("later",c`<input name="not_before" type="datetime-local" />`)} ${e("priority",this.select("priority",t.text("priority"),n))} </div>`}several(t){let{links:e}=this;if(e.length<2||this.sending)return l;let n=()=>{this.send(e.map(r=>({url:r})),"")},i=()=>{this.links=[],this.refusal=null,this.changed(he)};return c`<div class="ask" role="group" aria-labelledby="many"> <span id="many">${t.text("add_many",{n:e.length})}</span> ${g(t.text("add"),n,{css:"strong"})} ${g(t.text("discard"),i)} </div>`}render(t,e,n){let{open:i,sending:r,links:o,refusal:d}=this,a=()=>{this.open=!i,this.sound=!1,this.changed()},u=r&&o.length>1?` ${o.length}`:"";return c`<form class="add" @submit=${this.submitted} autocomplete="off"> <div class="field"> <input id="source" aria-label=${e.text("field")} placeholder=${e.text("field")} enterkeyhint="go" autocapitalize="off" spellcheck="false" dir="auto" maxlength="8000" ?disabled=${!n} ?readonly=${r} aria-invalid=${d!==null} aria-describedby="refused" @paste=${this.pasted} /> <div class="with"> ${t.presets.length?this.formats(t,e):l} ${g(e.text("options"),a,{css:"quiet toggle",icon:"options",name:e.text("options"),expanded:i,disabled:!n})} ${g(e.text(r?"sending":"add")+u,null,{css:"strong",icon:"add",disabled:!n,type:"submit"})} </div> </div> ${i?this.options(e):l} ${this.several(e)} <div id="refused">${L(d,e)}</div> </form>`}};var me={keys:"title running waiting failed finished free left of more show_all show_fewer retry_all untitled extracting merging converting subtitles moving processing queued paused review retrying cancelled kept cancel retry resume pause play next keep unkeep remove delete delete_ask back play_on show_media details action_of progress file folder size duration site category message field format default_format best add sending options sound_only later priority high normal low add_many discard drop added done playing_on no_players no_media close cannot_play empty empty_how off_since off_how starting missing missing_how missing_entity missing_entity_how user quiet_hours quiet_until disk_low updating storage_lost trouble service service_help heading sections shown_finished shown_field thumbnails confirm players players_help media media_help history no_answer no_door read_only invalid_url blocked_address unknown_preset unsafe_path job_not_found invalid_transition queue_full storage_unavailable unsupported_url unavailable private login_required age_restricted geo_restricted drm_protected not_yet_live rate_limited forbidden_by_site not_found network timeout disk_full postprocessing js_runtime_missing internal",en:`Downloads
Running
Waiting
Failed
Finished
{size} free
{time} left
{done} of {total}
and {n} more
Show all
Show fewer
Retry all
Untitled
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
kept
Cancel
Retry
Resume
Pause
Play
Move up
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
Progress
File
Folder
Size
Length
Site
Category
Message
Link or search words
Format
Default
Best
Add
Sending…
Options
Sound only
Not before
Priority
High
Normal
Low
Add {n} links?
No
Drop links here
Added.
{action}: done.
Playing on {player}.
No media player can play this now.
To play files here, set “homeassistant.media_source” in the service's settings.
Close
This browser cannot play the file.
Nothing here yet.
Paste a link, drop one onto this card, or share one from your phone.
Off since {time}.
The service does not answer. Check that it runs and reaches the broker.
Waiting for the service…
No download service found
Start mediarip-mqtt with Home Assistant's MQTT broker. It appears here by itself.
“{entity}” does not exist
Choose the service's status sensor in this card's settings.
Downloads are paused.
Quiet hours: nothing new starts.
Quiet hours: nothing new starts until {time}.
The disk is almost full. Delete some files to go on.
yt-dlp is being updated. Downloads go on in a moment.
The storage is not available. Check the disk or network share; downloads go on by themselves.
The service reports a problem. Its log has the details.
Service
The status sensor of mediarip-mqtt. Without it, the card takes the first service that it finds.
Title
Sections (none: all)
Finished downloads until “Show all”
Field to add downloads
Thumbnails
Ask before deleting a file
Media players
Offered by “Play on”. None chosen: all that can play media.
Media source
Only if the service does not tell it, such as media-source://media_source/local/downloads.
Speed and free space
The service does not answer.|The command may still arrive.
The service's “Download” entity is missing.|Enable it on the device's page.
You can look, but not change anything.
That is not a web address.|Check the link.
This address is inside your network.|If you want that, add the host to “security.allowed_hosts”.
This format no longer exists.
This folder or file name is not possible.
This download is no longer there.
That is not possible at the moment.
The queue is full.|Wait, or cancel some downloads.
The storage is not available.|Check the disk or network share, then retry.
No video or audio found on this page.|Update yt-dlp, then retry.
Not available at the moment.|Retry later.
Private: only some accounts may see it.|Send the site's cookies to the service, then retry.
Needs a login.|Send the site's cookies to the service, then retry.
Needs a login that proves your age.|Send the site's cookies to the service, then retry.
Not offered in this country.|A proxy in another country may help, where you are allowed to.
Copy-protected (DRM): it cannot be downloaded.
The stream has not begun, or is over.|Retry later.
The site asks for fewer requests.|Retry later.
The site refuses the request.|Send the site's cookies to the service, then retry.
There is nothing at this address.|Check the link.
The site could not be reached.|Retry later.
The site did not answer in time.|Retry later.
The disk is full.|Delete some files, then retry.
The file could not be converted.|Retry with the format “best”.
The site needs a JavaScript runtime.|Install Deno where the service runs.
Something went wrong in the service.|Its log has the details.`,de:`Downloads
Aktiv
Wartend
Fehlgeschlagen
Fertig
{size} frei
noch {time}
{done} von {total}
und {n} weitere
Alle anzeigen
Weniger anzeigen
Alle wiederholen
Ohne Titel
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
wird behalten
Abbrechen
Wiederholen
Fortsetzen
Anhalten
Abspielen
Vorziehen
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
Fortschritt
Datei
Ordner
Größe
Länge
Website
Kategorie
Meldung
Link oder Suchwörter
Format
Standard
Beste
Hinzufügen
Wird gesendet …
Optionen
Nur Ton
Nicht vor
Priorität
Hoch
Normal
Niedrig
{n} Links hinzufügen?
Nein
Links hier ablegen
Hinzugefügt.
{action}: erledigt.
Wird auf {player} abgespielt.
Zurzeit kann kein Gerät das abspielen.
Um Dateien hier abzuspielen, in den Einstellungen des Dienstes „homeassistant.media_source“ setzen.
Schließen
Dieser Browser kann die Datei nicht abspielen.
Hier ist noch nichts.
Einen Link einfügen, auf diese Karte ziehen oder vom Handy teilen.
Aus seit {time}.
Der Dienst antwortet nicht. Bitte prüfen, ob er läuft und den Broker erreicht.
Warten auf den Dienst …
Kein Download-Dienst gefunden
mediarip-mqtt mit dem MQTT-Broker von Home Assistant starten. Dann erscheint es hier von selbst.
„{entity}“ gibt es nicht
In den Einstellungen dieser Karte den Statussensor des Dienstes wählen.
Die Downloads sind angehalten.
Ruhezeit: nichts Neues beginnt.
Ruhezeit: bis {time} beginnt nichts Neues.
Der Speicher ist fast voll. Zum Fortfahren einige Dateien löschen.
yt-dlp wird aktualisiert. Gleich geht es weiter.
Der Speicher ist nicht erreichbar. Laufwerk oder Netzfreigabe prüfen; danach geht es von selbst weiter.
Der Dienst meldet ein Problem. Näheres steht in seinem Protokoll.
Dienst
Der Statussensor von mediarip-mqtt. Ohne ihn nimmt die Karte den ersten Dienst, den sie findet.
Titel
Abschnitte (keiner: alle)
Fertige Downloads bis „Alle anzeigen“
Feld zum Hinzufügen
Vorschaubilder
Vor dem Löschen einer Datei fragen
Mediaplayer
Für „Abspielen auf“. Ohne Auswahl: alle, die Medien abspielen können.
Medienquelle
Nur wenn der Dienst sie nicht nennt, etwa media-source://media_source/local/downloads.
Geschwindigkeit und freier Platz
Der Dienst antwortet nicht.|Der Auftrag kann noch ankommen.
Die Entität „Download“ des Dienstes fehlt.|Auf der Seite des Geräts aktivieren.
Du kannst hier zusehen, aber nichts ändern.
Das ist keine Webadresse.|Bitte den Link prüfen.
Diese Adresse liegt im eigenen Netz.|Falls gewünscht, den Host in „security.allowed_hosts“ aufnehmen.
Dieses Format gibt es nicht mehr.
Dieser Ordner oder Dateiname ist nicht möglich.
Diesen Download gibt es nicht mehr.
Das ist im Augenblick nicht möglich.
Die Warteschlange ist voll.|Warten oder einige Downloads abbrechen.
Der Speicher ist nicht erreichbar.|Laufwerk oder Netzfreigabe prüfen, dann wiederholen.
Auf dieser Seite wurde nichts zum Laden gefunden.|yt-dlp aktualisieren, dann wiederholen.
Zurzeit nicht verfügbar.|Später wiederholen.
Privat: nur für bestimmte Konten.|Die Cookies der Website an den Dienst senden, dann wiederholen.
Anmeldung nötig.|Die Cookies der Website an den Dienst senden, dann wiederholen.
Anmeldung mit Altersnachweis nötig.|Die Cookies der Website an den Dienst senden, dann wiederholen.
In diesem Land nicht angeboten.|Ein Proxy in einem anderen Land kann helfen, sofern erlaubt.
Kopiergeschützt (DRM): nicht herunterladbar.
Der Stream hat nicht begonnen oder ist vorbei.|Später wiederholen.
Die Website verlangt weniger Anfragen.|Später wiederholen.
Die Website lehnt die Anfrage ab.|Die Cookies der Website an den Dienst senden, dann wiederholen.
Unter dieser Adresse ist nichts.|Bitte den Link prüfen.
Die Website war nicht erreichbar.|Später wiederholen.
Die Website hat nicht rechtzeitig geantwortet.|Später wiederholen.
Der Speicher ist voll.|Einige Dateien löschen, dann wiederholen.
Die Datei ließ sich nicht umwandeln.|Mit dem Format „best“ wiederholen.
Die Website braucht eine JavaScript-Laufzeit.|Deno dort installieren, wo der Dienst läuft.
Im Dienst ist etwas schiefgegangen.|Näheres steht in seinem Protokoll.`,fr:`Téléchargements
En cours
En attente
Échecs
Terminés
{size} libres
encore {time}
{done} sur {total}
et {n} de plus
Tout afficher
Afficher moins
Tout réessayer
Sans titre
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
conservé
Annuler
Réessayer
Reprendre
Pause
Lire
Avancer
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
Progression
Fichier
Dossier
Taille
Durée
Site
Catégorie
Message
Lien ou mots à chercher
Format
Par défaut
Meilleur
Ajouter
Envoi…
Options
Son seul
Pas avant
Priorité
Haute
Normale
Basse
Ajouter {n} liens ?
Non
Déposez les liens ici
Ajouté.
{action} : c'est fait.
Lecture sur {player}.
Aucun lecteur ne peut lire ce fichier pour l'instant.
Pour lire les fichiers ici, définissez « homeassistant.media_source » dans les réglages du service.
Fermer
Ce navigateur ne peut pas lire le fichier.
Rien ici pour l'instant.
Collez un lien, déposez-le sur cette carte ou partagez-le depuis votre téléphone.
Arrêté depuis {time}.
Le service ne répond pas. Vérifiez qu'il fonctionne et qu'il atteint le broker.
En attente du service…
Aucun service de téléchargement trouvé
Démarrez mediarip-mqtt avec le broker MQTT de Home Assistant. Il apparaîtra ici de lui-même.
« {entity} » n'existe pas
Choisissez le capteur d'état du service dans les réglages de cette carte.
Les téléchargements sont en pause.
Heures calmes : rien de nouveau ne démarre.
Heures calmes : rien de nouveau ne démarre avant {time}.
Le disque est presque plein. Supprimez des fichiers pour continuer.
Mise à jour de yt-dlp. Les téléchargements reprennent dans un instant.
Le stockage est inaccessible. Vérifiez le disque ou le partage réseau ; la reprise est automatique.
Le service signale un problème. Son journal en donne les détails.
Service
Le capteur d'état de mediarip-mqtt. Sans lui, la carte prend le premier service trouvé.
Titre
Sections (aucune : toutes)
Téléchargements terminés avant « Tout afficher »
Champ d'ajout
Vignettes
Demander avant de supprimer un fichier
Lecteurs multimédias
Proposés par « Lire sur ». Aucun choisi : tous ceux qui peuvent lire des médias.
Source multimédia
Seulement si le service ne l'indique pas, par exemple media-source://media_source/local/downloads.
Débit et espace libre
Le service ne répond pas.|La demande peut encore arriver.
L'entité « Download » du service est absente.|Activez-la sur la page de l'appareil.
Vous pouvez regarder, mais rien modifier.
Ce n'est pas une adresse web.|Vérifiez le lien.
Cette adresse est dans votre réseau.|Si c'est voulu, ajoutez l'hôte à « security.allowed_hosts ».
Ce format n'existe plus.
Ce dossier ou ce nom de fichier est impossible.
Ce téléchargement n'existe plus.
C'est impossible pour le moment.
La file d'attente est pleine.|Attendez ou annulez des téléchargements.
Le stockage est inaccessible.|Vérifiez le disque ou le partage réseau, puis réessayez.
Ni vidéo ni audio sur cette page.|Mettez yt-dlp à jour, puis réessayez.
Indisponible pour le moment.|Réessayez plus tard.
Privé : réservé à certains comptes.|Envoyez les cookies du site au service, puis réessayez.
Connexion nécessaire.|Envoyez les cookies du site au service, puis réessayez.
Connexion avec preuve d'âge nécessaire.|Envoyez les cookies du site au service, puis réessayez.
Non proposé dans ce pays.|Un proxy dans un autre pays peut aider, si c'est permis.
Protégé contre la copie (DRM) : impossible à télécharger.
Le direct n'a pas commencé ou est terminé.|Réessayez plus tard.
Le site demande moins de requêtes.|Réessayez plus tard.
Le site refuse la demande.|Envoyez les cookies du site au service, puis réessayez.
Il n'y a rien à cette adresse.|Vérifiez le lien.
Le site est injoignable.|Réessayez plus tard.
Le site n'a pas répondu à temps.|Réessayez plus tard.
Le disque est plein.|Supprimez des fichiers, puis réessayez.
Le fichier n'a pas pu être converti.|Réessayez avec le format « best ».
Le site nécessite un moteur JavaScript.|Installez Deno là où tourne le service.
Une erreur s'est produite dans le service.|Son journal en donne les détails.`};var Mt=me.keys.split(" "),Rt={comma_decimal:"en-US",decimal_comma:"de",space_comma:"fr",quote_decimal:"de-CH"},K=60,Ie=3600;function Dt(s,t){let e=s.locale?.number_format??"language";if(e!=="system")return Rt[e]??t}function zt(s){let t=s.locale?.time_format;return t==="12"?!0:t==="24"?!1:void 0}function Et(s){let t=(s??"").toLowerCase().split(/[-_]/)[0]??"";return t==="de"||t==="fr"?t:"en"}var v=class{constructor(t){this.formats=new Map;let e=t.locale?.language??t.language??"en";this.language=Et(e),this.texts=me[this.language].split(`
`),this.timeLocale=e.toLowerCase().startsWith(this.language)?e:this.language,this.numbers=Dt(t,this.timeLocale),this.dates={};let n=zt(t);n!==void 0&&(this.dates.hourCycle=n?"h12":"h23"),t.locale?.time_zone==="server"&&t.config?.time_zone&&(this.dates.timeZone=t.config.time_zone)}find(t){return this.texts[Mt.indexOf(t??"")]}text(t,e={}){return(this.find(t)??t).replace(/\{(\w+)\}/g,(n,i)=>{let r=e[i]??"";return typeof r=="number"?this.number(r):r})}error(t,e){let[n,i=""]=this.find(t)?.split("|")??[e||t||this.text("failed")];return[n??"",i]}format(t){let e=JSON.stringify(t),n=this.formats.get(e);return n||(n=new Intl.NumberFormat(this.numbers,t),this.formats.set(e,n)),n}number(t){return this.format({}).format(t)}percent(t){return this.format({style:"percent"}).format(Math.floor(t)/100)}scaled(t,e){let n=["byte","kilobyte","megabyte","gigabyte","terabyte"],i=0,r=t;for(;r>=999.5&&i<n.length-1;i+=1)r/=1e3;let o=r<10&&i>1?1:0;return this.format({style:"unit",unit:n[i]+e,unitDisplay:"short",maximumFractionDigits:o}).format(r)}size(t){return this.scaled(t,"")}speed(t){return this.scaled(t,"-per-second")}unit(t,e){return this.format({style:"unit",unit:e,maximumFractionDigits:0}).format(t)}span(t){if(t<K)return this.unit(Math.max(5,Math.ceil(t/5)*5),"second");let e=Math.round(t/K);if(e<60)return this.unit(e,"minute");let n=e%60;return this.unit(Math.floor(e/60),"hour")+(n?` ${this.unit(n,"minute")}`:"")}length(t){let e=Math.round(t),n=[Math.floor(e/Ie),Math.floor(e%Ie/K),e%K];return n[0]||n.shift(),n.map((i,r)=>r?String(i).padStart(2,"0"):String(i)).join(":")}day(t){return new Intl.DateTimeFormat("en",{...this.dates,dateStyle:"short"}).format(t)}moment(t,e){if(this.day(t)===this.day(e))return new Intl.DateTimeFormat(this.timeLocale,{...this.dates,hour:"numeric",minute:"2-digit"}).format(t);let n=t>e?{hour:"numeric",minute:"2-digit"}:{};return new Intl.DateTimeFormat(this.timeLocale,{...this.dates,...n,day:"numeric",month:"short"}).format(t)}};var Ct={entity:"service",title:"heading",finished:"shown_finished",add:"shown_field"},Ht={entity:"service_help",players:"players_help",media:"media_help"},Lt=["running","waiting","failed","finished"];function Pe(){let s=document.querySelector("home-assistant"),t=new v(s?.hass??{}),e=Lt.map(i=>({value:i,label:t.text(i)})),n=i=>({name:i,default:!0,selector:{boolean:{}}});return{schema:[{name:"entity",selector:{entity:{filter:[{integration:"mqtt",domain:"sensor",device_class:"enum"}]}}},{name:"title",selector:{text:{}}},{type:"expandable",name:"more",title:t.text("options"),flatten:!0,schema:[{name:"sections",selector:{select:{multiple:!0,mode:"list",options:e}}},{name:"finished",default:5,selector:{number:{min:0,max:200,mode:"box"}}},n("add"),n("thumbnails"),n("confirm"),{name:"players",selector:{entity:{multiple:!0,filter:[{domain:"media_player"}]}}},{name:"media",selector:{text:{}}}]}],computeLabel:({name:i})=>t.text(Ct[i]??i),computeHelper:({name:i})=>{let r=Ht[i];return r&&t.text(r)}}}var G=class extends HTMLElement{constructor(e){super();this.root=this.attachShadow({mode:"open"});this.updateComplete=Promise.resolve();this.hasUpdated=!1;this.pending=!1;let n=document.createElement("style");n.textContent=e,this.root.append(n)}requestUpdate(){this.pending||!this.isConnected||(this.pending=!0,this.updateComplete=Promise.resolve().then(()=>{this.pending=!1,this.beforeUpdate(),ae(this.template(),this.root),this.afterUpdate(),this.hasUpdated=!0}))}find(e){return this.root.querySelector(e)}};function We(s,t,e){let n=new Map;for(let r of[...s.children]){let o=r.dataset.job??"";t.has(o)?n.set(o,r):r.remove()}let i=s.firstElementChild;for(let[r,o]of t){let d=n.get(r)??document.createElement("li");n.has(r)||(d.dataset.job=r),d===i?i=i.nextElementSibling:s.insertBefore(d,i);let[a,u]=e(o);d.className!==a&&(d.className=a),ae(u,d)}}function qe(s,t,e){let{phase:n,pauseReason:i,pauseUntil:r}=s;if(n==="offline")return["grey","off",`${t.text("off_since",{time:t.moment(s.since??e,e)})} ${t.text("off_how")}`];if(n==="ready"){if(s.storageLost)return["red","alert",t.text("storage_lost")];switch(i){case"quiet_hours":return["grey","moon",r?t.text("quiet_until",{time:t.moment(r,e)}):t.text("quiet_hours")];case"disk_low":return["","disk",t.text("disk_low")];case"updating":return["grey","clock",t.text("updating")];case void 0:return s.status==="error"?["red","alert",t.text("trouble")]:void 0;default:return["","pause",t.text("user")]}}}var Y=[{key:"running",statuses:y,limit:20},{key:"waiting",statuses:["queued","paused","retrying","review"],limit:5},{key:"failed",statuses:["failed"],limit:3,all:{label:"retry_all",command:{command:"retry",id:"all",status:"failed"}}},{key:"finished",statuses:["completed","cancelled"],limit:5}];function N(s,t){return t.filter(e=>s.statuses.includes(e.status))}function Ue(s){let t=s?.entity_id.startsWith("sensor.")?s.attributes.options:void 0;return Array.isArray(t)&&t.includes("storage_lost")&&t.includes("downloading")}function O(s){return Object.values(s.states).filter(Ue).map(t=>t.entity_id).sort()}function Fe(s,t){return Ue(s.states[t])?{config:{type:"custom:mediarip-card",entity:t}}:null}var Je=':host{display:block;height:100%;--accent: var(--primary-color);--text: var(--primary-text-color);--soft: var(--secondary-text-color);--surface: var(--ha-card-background, var(--card-background-color));--red: var(--error-color);--tint: color-mix(in srgb, var(--text) 7%, transparent);--tint-more: color-mix(in srgb, var(--text) 14%, transparent);--red-tint: color-mix(in srgb, var(--red) 18%, transparent)}*{box-sizing:border-box;margin:0;padding:0}ha-card{display:block;height:100%;overflow:hidden;position:relative;color:var(--text)}.card{container-type:inline-size;height:100%;overflow-y:auto;padding:12px 16px 16px;line-height:1.4;font-size:14px}p,strong,dt,dd,button,a{unicode-bidi:plaintext}p,strong,dd,.name{text-align:left}.rtl :is(p,strong,dd,.name){text-align:right}svg{width:20px;height:20px;flex:none;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}.play-icon{fill:currentColor}.live{position:absolute;clip-path:inset(50%)}button,input,select,a{font:inherit;color:inherit;min-height:44px;min-width:0;border-radius:12px;border:1px solid transparent;background:var(--tint);padding:0 12px}button,a{display:inline-flex;align-items:center;justify-content:center;gap:6px;cursor:pointer;font-weight:500;text-decoration:none}.strong{background:color-mix(in srgb,var(--accent) 24%,transparent)}.danger{background:var(--red-tint)}.quiet,.round,.head button{background:none}.round{width:44px;padding:0;border-radius:50%}.expander,.head button{color:var(--soft)}button:not(:disabled):hover,a:hover,.toggle[aria-expanded=true]{background:var(--tint-more)}:disabled,[aria-disabled]{opacity:.45;cursor:default}:focus-visible{outline:2px solid var(--accent);outline-offset:1px}.expander svg{transition:transform .2s}.expander[aria-expanded=true] svg{transform:rotate(180deg)}option{background:var(--card-background-color)}input::placeholder{color:var(--soft);opacity:1}[aria-invalid=true]{border-color:var(--red)}header,.head,.banner,.hint,.ask,.actions,.field,.with{display:flex;align-items:center;gap:8px}header{margin-bottom:8px;min-height:44px}h2{font-size:20px;font-weight:500}h2,.name,.meta,.summary{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.summary{flex:1 1 0;text-align:end}.summary,.meta,.hint,.empty,h3,dt,.options span{color:var(--soft)}.summary,.meta,.length,h3{font-variant-numeric:tabular-nums}.banner{gap:12px;padding:8px 14px;min-height:48px;border-radius:12px;margin-bottom:12px;background:color-mix(in srgb,var(--warning-color) 16%,transparent)}.banner p,h3{flex:1}.red{background:var(--red-tint)}.grey{background:var(--tint)}.hint{padding:6px 0}.refusal{color:var(--text)}.refusal svg,.failed .thumb svg{color:var(--red)}.ask,.actions,.field{flex-wrap:wrap}.ask>span{flex:1 1 180px}.add,.more{display:grid;grid-template-columns:minmax(0,1fr);gap:8px}#source{flex:99 1 240px;font-size:16px}.with{flex:1 1 auto;min-width:0}.with select{flex:1 1 120px;max-width:220px}.with .strong{margin-inline-start:auto}.options{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:8px 12px;align-items:end;padding:8px 12px 12px;border:1px solid var(--divider-color);border-radius:12px}label{display:grid}.check{display:flex;align-items:center;gap:10px;min-height:44px}[type=checkbox]{width:20px;min-height:20px;accent-color:var(--accent)}.drop{position:absolute;inset:6px;z-index:2;display:grid;place-content:start center;justify-items:center;padding-top:80px;border:2px dashed var(--accent);border-radius:10px;background:var(--surface);opacity:.94;pointer-events:none}.head{min-height:44px;margin-top:8px}h3{display:flex;gap:8px;font-size:14px;font-weight:500}.head button{padding:0 8px}li{display:block;min-width:0;margin-inline:-10px;padding:6px 10px;border-radius:14px}li:nth-child(n+9){content-visibility:auto;contain-intrinsic-size:auto 59px}.open{background:var(--tint);margin-block:2px}.line{display:grid;grid-template:"thumb body main more" / auto minmax(0,1fr) auto auto;align-items:center}.thumb{grid-area:thumb;position:relative;width:104px;aspect-ratio:16 / 9;border-radius:8px;margin-inline-end:12px;background:var(--tint);overflow:hidden;display:grid;place-items:center;color:var(--soft)}.length{position:absolute;inset-block-end:3px;inset-inline-end:3px;padding:0 4px;border-radius:4px;font-size:11px;background:#000c;color:#fff}.body{grid-area:body;cursor:pointer}.main{grid-area:main}.expander{grid-area:more}.name{grid-area:name;font-size:15px;font-weight:500}.untitled{font-style:italic;color:var(--soft)}.meta{grid-area:meta;font-size:13px}.failed .meta{color:var(--text);white-space:normal;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical}.open :is(.name,.meta){white-space:normal;overflow-wrap:anywhere;-webkit-line-clamp:none}.open :is(.thumb,.main,.expander){align-self:start}.bar{grid-area:bar;height:5px;margin-top:6px;border-radius:3px;background:var(--tint-more);overflow:hidden}.bar>div{height:100%;background:var(--accent);transform-origin:left;transform:scaleX(var(--done));transition:transform 1s linear}.rtl .bar>div{transform-origin:right}.still>div{background:var(--soft)}.busy>div{width:35%;transform:none;animation:busy 1.8s ease-in-out infinite alternate}@keyframes busy{to{margin-inline-start:65%}}.more{padding:10px 0 4px}dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(115px,1fr));gap:8px 16px}.long{grid-column:1 / -1}dt,.options span{font-size:12px}dd{overflow-wrap:anywhere}.offline ul,.example{filter:grayscale(1)}.offline .name{color:var(--soft)}.offline .bar>div{animation:none}.empty{display:grid;justify-items:center;gap:6px;padding:24px 8px 16px}.empty>svg,.drop svg{width:44px;height:44px;stroke-width:1.2;color:var(--accent)}.empty strong{color:var(--text);font-size:16px;overflow-wrap:anywhere}.empty>:is(p,strong){text-align:center}.example{width:100%}dialog{margin:auto;border:0;border-radius:16px;width:min(960px,94vw);max-height:94vh;background:var(--card-background-color);color:var(--text)}dialog::backdrop{background:#000a}dialog header{margin:0;padding:6px 6px 6px 16px}dialog h2{flex:1;font-size:16px}video,audio{display:block;width:100%;max-height:calc(94vh - 60px)}audio{padding:0 16px 16px}dialog p{padding:12px 16px}@container (max-width: 540px){.summary .minor{display:none}}@container (max-width: 400px){h2{font-size:18px}.minor,.length,header button span,.toggle span{display:none}header button,.toggle{width:44px;padding:0;flex:none}.with select{flex-basis:80px}.body{display:contents}.line{grid-template-areas:"thumb name main more" "meta meta meta meta" "bar bar bar bar"}.thumb{width:64px;margin-inline-end:10px;border-radius:6px}.name{font-size:14px;white-space:normal;overflow-wrap:anywhere;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical}}@container (max-width: 330px){h2{font-size:16px}}@container (min-width: 860px){.many{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));column-gap:40px;align-items:start}}@media(prefers-reduced-motion:reduce){*{transition:none!important;animation:none!important}.busy>div{width:100%;opacity:.4}}@media(forced-colors:active){button,a,.thumb,.open,.banner,.bar{border:1px solid}.bar>div{forced-color-adjust:none;background:Highlight}.thumb{forced-color-adjust:none}}';var Q=class{constructor(t,e){this.host=t;this.changed=e;this.columns=0;this.rows=0;this.loaded="";this.loading="";this.url="";this.known=new Map}get ready(){return this.url!==""&&this.columns>0}of(t){if(!this.loading||this.known.get(t.id)===t.tile)return t.tile}update(t,e,n){let i=t.states[e.tiles??""];this.loading||this.remember(n);let r=i?.attributes.entity_picture,o=i?.attributes.tiles;!i||typeof r!="string"||!o||!Number.isFinite(Date.parse(i.state))||(this.columns=Number(o.columns)||0,this.rows=Number(o.rows)||0,!(i.state===this.loaded||this.loading)&&this.load(t,r,i.state))}remember(t){this.known.clear();for(let e of t)e.tile!==void 0&&this.known.set(e.id,e.tile)}async load(t,e,n){this.loading=n;try{let i=await(t.fetchWithAuth?.(e)??fetch(e));if(i.ok){let r=URL.createObjectURL(await i.blob());this.release(),this.url=r,this.host.style.setProperty("--tiles",`url("${r}")`)}}catch{}this.loaded=n,this.loading="",this.changed()}release(){this.url&&URL.revokeObjectURL(this.url),this.url="",this.loaded=""}};var Ve=1e3,Ot=2*Ve,Be=4,It={code:"read_only",message:""},Pt=[{...ce,id:"1",status:"downloading",title:"Tears of Steel",progress:42,speed:31e5},{...ce,id:"2",title:"Sintel",size:12e8,duration:2520}],Z=class extends G{constructor(){super(Je);this.words=new v({});this.model=ue;this.commands=new U;this.reckoning=new W;this.tiles=new Q(this,()=>this.requestUpdate());this.field=new V(this);this.dialog=new J(this);this.views=new Map;this.limits=new Map;this.readOnly=!1;this.refusal=null;this.dropping=0;this.searched=0;this.live="";this.banner="";this.now=Date.now();this.timer=0;this.onScreen=!0;this.schedule=()=>{let e=this.model.phase==="ready"&&this.model.jobs.some(i=>y.includes(i.status)),n=this.isConnected&&this.onScreen&&!document.hidden&&e;n&&!this.timer?(this.timer=window.setInterval(()=>{this.now=Date.now(),this.requestUpdate()},Ve),this.now=Date.now(),this.requestUpdate()):!n&&this.timer&&(clearInterval(this.timer),this.timer=0)};this.dragged=e=>{let n=e.dataTransfer?.types??[];!(n.includes("text/uri-list")||n.includes("text/plain"))||!this.enabled||this.readOnly||this.config?.add===!1||(e.preventDefault(),e.type==="dragenter"&&(this.dropping+=1),e.type==="dragleave"&&(this.dropping-=1),e.type==="drop"&&(this.dropping=0,e.dataTransfer&&this.field.drop(e.dataTransfer)),e.type!=="dragover"&&this.requestUpdate())}}static getConfigForm(){return Pe()}static getStubConfig(e){let[n]=O(e);return n?{entity:n}:{}}setConfig(e){let{entity:n,sections:i}=e;if(n!==void 0&&typeof n!="string")throw new Error("entity: the id of a sensor");if(i!==void 0&&!Array.isArray(i))throw new Error("sections: a list");n!==this.config?.entity&&(this.entities=void 0,this.model=ue),this.config=e,this._hass&&this.take(this._hass),this.requestUpdate()}getCardSize(){return 8}getGridOptions(){return{columns:12,min_columns:6,min_rows:3}}set hass(e){let n=this._hass;this._hass=e,(n?.locale!==e.locale||n?.language!==e.language)&&(this.words=new v(e),this.requestUpdate()),this.take(e)}get hass(){return this._hass}take(e){if(!this.config)return;let n=this.config.entity||this.found(e);if(!n||(this.entities?.status!==n&&(this.entities=new P(n)),!this.entities.update(e)))return;let{roles:i}=this.entities;this.now=Date.now(),this.commands.observe(e,i),this.model=Re(e,i,this.model),this.reckoning.observe(this.model.jobs,this.now),this.tiles.update(e,i,this.model.jobs),this.requestUpdate()}found(e){if(this.entities)return this.entities.status;if(!(Date.now()-this.searched<Ot))return this.searched=Date.now(),O(e)[0]}connectedCallback(){this.requestUpdate(),this.observer=new IntersectionObserver(e=>{this.onScreen=e.some(n=>n.isIntersecting),this.schedule()}),this.observer.observe(this),document.addEventListener("visibilitychange",this.schedule),this._hass&&this.entities&&this.tiles.update(this._hass,this.entities.roles,this.model.jobs),this.schedule()}disconnectedCallback(){this.observer?.disconnect(),document.removeEventListener("visibilitychange",this.schedule),this.tiles.release(),clearInterval(this.timer),this.timer=0}async send(e){let{_hass:n,entities:i}=this;if(!n||!i)return{code:"no_answer",message:""};let r=await this.commands.send(n,i,e);return r?.code==="read_only"&&(this.readOnly=!0,this.requestUpdate()),r}view(e,n){let i={...this.views.get(e),...n};Object.values(i).some(Boolean)?this.views.set(e,i):this.views.delete(e),this.requestUpdate();let r=n.asking?".ask button:last-child":this.focusIn(".ask")?".expander":"";r&&this.updateComplete.then(()=>this.row(e)?.querySelector(r)?.focus())}tell(e,n){let i=e?this.words.error(e.code,e.message).join(" "):n;this.live=this.live===i?`${i} `:i,this.requestUpdate()}async settle(e,n,i){this.view(e.id,{busy:!0,refusal:null,note:""});let r=await n;return this.view(e.id,{busy:!1,refusal:r}),this.tell(r,i),r}act(e,n){let i=this.config?.confirm??!0;if(n==="delete"&&i&&!this.views.get(e.id)?.asking){this.view(e.id,{asking:!0,picking:!1});return}n==="delete"&&this.view(e.id,{asking:!1});let r=this.words.text("done",{action:this.words.text(n)});this.settle(e,this.send(He(e,n)),r)}play(e){let n=this._hass,i=this.mediaId(e);!n||!i||this.settle(e,this.dialog.open(n,i,e,e.title||this.words.text("untitled")),"")}async playOn(e,n){let i=this._hass,r=this.mediaId(e);if(!i||!r)return;let o=this.words.text("playing_on",{player:n.name});await this.settle(e,Ce(i,n.id,r,e),o)||this.view(e.id,{note:o,picking:!1})}row(e){return this.find(`[data-job="${CSS.escape(e)}"]`)}focusIn(e){return this.root.activeElement?.closest(e)}beforeUpdate(){let e=this.focusIn("li"),n=e?.parentElement;if(this.focused=void 0,!(e instanceof HTMLElement)||!n)return;let i=[...n.children].map(o=>o.dataset.job??""),r=[...n.children].indexOf(e);this.focused=[n.dataset.list,...i.slice(r),...i.slice(0,r).reverse()]}afterUpdate(){this.fillLists(),this.schedule(),this.growLists(),this.keepFocus()}keepFocus(){if(!this.focused||this.root.activeElement)return;let[e,...n]=this.focused;((n.map(d=>this.row(d)).find(d=>d?.parentElement?.dataset.list===e)??this.row(n[0]??""))?.querySelector(".main:not(:disabled), .expander")??this.find("#source:not(:disabled)")??this.find("h2"))?.focus()}shortLimit(e){return(e.key==="finished"?this.config?.finished:void 0)??e.limit}limit(e){return this.limits.get(e.key)??this.shortLimit(e)}toggleList(e){this.limits.has(e.key)?this.limits.delete(e.key):this.limits.set(e.key,this.limit(e)+Be),this.requestUpdate()}growLists(){let e=Y.find(n=>{let i=this.limits.get(n.key);return i!==void 0&&i<N(n,this.model.jobs).length});e&&requestAnimationFrame(()=>{let n=this.limits.get(e.key);n!==void 0&&(this.limits.set(e.key,n+Be),this.requestUpdate())})}get enabled(){return this.model.phase==="ready"&&!this.model.storageLost}get thumbnails(){return this.config?.thumbnails??!0}players(){return this._hass&&this.config?Ee(this._hass,this.config):[]}mediaId(e){return De(this.config?.media??this.model.media,e)}moving(e){let n=this.reckoning.left(e,this.now);return{progress:this.reckoning.progress(e,this.now),left:n===void 0?"":this.words.text("left",{time:this.words.span(n)}),tile:this.tiles.of(e)}}fill(e,n){let i=new Map(n.map(r=>[r.id,r]));We(e,i,r=>{let o=this.views.get(r.id)??{};return[`${r.status} ${o.open?"open":""}`,Oe(r,o,this.moving(r),this)]})}fillLists(){for(let n of Y){let i=this.find(`ul[data-list=${n.key}]`);i&&this.fill(i,N(n,this.model.jobs).slice(0,this.limit(n)))}let e=this.find(".example");e&&this.fill(e,Pt)}list(e){let{words:n,model:i}=this,r=N(e,i.jobs);if(!r.length)return l;let o=n.text(e.key),d=e.key==="waiting"?i.more:0,a=this.limits.has(e.key),u=r.length>this.shortLimit(e),h=a?"show_fewer":"show_all";return c`<section aria-labelledby="section-${e.key}"> <div class="head"> <h3 id="section-${e.key}"> ${o} <span>${n.number(r.length+d)}</span> </h3> ${e.all&&r.length>1&&!this.readOnly?g(n.text(e.all.label),()=>{this.order(e.all?.command??{})},{disabled:!this.enabled}):l} ${u?g(n.text(h),()=>this.toggleList(e),{expanded:a,name:n.text("action_of",{action:n.text(h),title:o})}):l} </div> <ul class=${r.length>1?"many":""} data-list=${e.key}></ul> ${d?c`<p class="hint">${n.text("more",{n:d})}</p>`:l} </section>`}header(){let{words:e,model:n}=this,i=n.phase==="ready",r=n.jobs.reduce((o,d)=>o+(y.includes(d.status)?d.speed??0:0),0);return c`<header> <h2 tabindex="-1" dir="auto">${this.config?.title||e.text("title")}</h2> <p class="summary"> ${pe([[r?e.speed(r):void 0],[n.free===void 0?void 0:e.text("free",{size:e.size(n.free)}),"minor"]])} </p> ${i&&!n.pauseReason&&!this.readOnly&&!n.storageLost?this.queueButton("pause"):l} </header>`}async order(e){let n=await this.send(e);n&&this.tell(n,""),this.refusal=n,this.requestUpdate()}queueButton(e){let{words:n}=this,i=n.text("action_of",{action:n.text(e),title:n.text("title")}),r=e==="pause"?e:"play";return g(n.text(e),()=>{this.order({command:e})},{css:"quiet",icon:r,name:i})}bannerTemplate(){let[e,n,i=""]=qe(this.model,this.words,this.now)??[];return i!==this.banner&&this.hasUpdated&&(this.live=i),this.banner=i,n?c`<div class="banner ${e}"> ${x(n)} <p>${i}</p> ${n==="pause"&&!this.readOnly?this.queueButton("resume"):l} </div>`:l}hero(e,n,i=l){return c`<div class="empty"> ${x("drop")}<strong>${e}</strong> <p>${n}</p> ${i} </div>`}missing(){let{words:e}=this,n=this.config?.entity;if(n)return this.hero(e.text("missing_entity",{entity:n}),e.text("missing_entity_how"));let i=c`<ul class="example" inert aria-hidden="true"></ul>`;return this.hero(e.text("missing"),e.text("missing_how"),i)}content(){let{words:e,model:n,config:i}=this;if(n.phase==="missing")return this.missing();if(n.phase==="starting"&&!n.jobs.length)return c`<p class="hint">${x("clock")}${e.text("starting")}</p>`;let r=(i?.add??!0)&&!this.readOnly,o=i?.sections,d=Y.filter(u=>!o?.length||o.includes(u.key)),a=d.some(u=>N(u,n.jobs).length);return c` ${this.bannerTemplate()} ${L(this.readOnly?It:this.refusal,e)} ${r?this.field.render(n,e,this.enabled):l} ${d.map(u=>this.list(u))} ${a||n.phase!=="ready"?l:this.hero(e.text("empty"),r?e.text("empty_how"):"")} `}template(){if(!this.config||!this._hass)return l;let{words:e,model:n}=this,i=getComputedStyle(this).direction==="rtl"?"rtl":"";return c`<ha-card lang=${e.language} @dragenter=${this.dragged} @dragover=${this.dragged} @dragleave=${this.dragged} @drop=${this.dragged} > <div class="card ${i} ${n.phase}">${this.header()} ${this.content()}</div> ${this.dropping>0?c`<div class="drop" aria-hidden="true">${x("drop")}${e.text("drop")}</div>`:l} <div class="live" role="status">${this.live}</div> ${this.dialog.render(e)} </ha-card>`}};var Wt=[["switch"],["select"],["sensor","data_size"],["binary_sensor","problem"],["update"]],qt=["data_rate","data_size"];function Ut(s,t){let e=s.entities??{},n=e[t]?.device_id;return Object.keys(e).filter(i=>n&&e[i]?.device_id===n&&!e[i]?.hidden&&s.states[i])}function Ke(s,t,e,n){return t.filter(i=>i.startsWith(`${e}.`)&&(!n||s.states[i]?.attributes.device_class===n))}function Ge(s,t,e){let n=String(s.states[t]?.attributes.friendly_name??t);return{entity:t,name:n.startsWith(`${e} `)?n.slice(e.length+1):n}}function Ft(s,t,e){let n=new v(s),i=Ut(s,t),r=s.devices?.[s.entities?.[t]?.device_id??""],o=r?.name_by_user??r?.name??t,d={columns:12},a=Wt.flatMap(([m,f])=>Ke(s,i,m,f)).map(m=>{let f={features:[{type:"select-options"}],features_position:"inline"};return{type:"tile",...Ge(s,m,o),...m.startsWith("select.")?f:{},grid_options:d}}),u=qt.flatMap(m=>Ke(s,i,"sensor",m)).map(m=>({type:"history-graph",entities:[Ge(s,m,o)],hours_to_show:24,grid_options:d})),h=(m,f,b)=>b.length?[{type:"grid",cards:[{type:"heading",heading:m,icon:f},...b]}]:[],p={type:"custom:mediarip-card",entity:t,grid_options:{columns:"full"}};return{type:"sections",title:e?n.text("title"):o,path:t.replace("sensor.","").replaceAll("_","-"),max_columns:4,sections:[{type:"grid",column_span:2,cards:[p]},...h(n.text("service"),"mdi:download-network",a),...h(n.text("history"),"mdi:chart-line",u)]}}var fe=class extends HTMLElement{static{this.registryDependencies=["entities","devices"]}static{this.noEditor=!0}static generate(t,e){let n=O(e);if(n.length)return Promise.resolve({views:n.map(o=>Ft(e,o,n.length===1))});let i=[{type:"custom:mediarip-card",grid_options:{columns:"full"}}],r=new v(e).text("title");return Promise.resolve({views:[{type:"sections",title:r,sections:[{type:"grid",cards:i}]}]})}static getCreateSuggestions(t){return{title:new v(t).text("title"),icon:"mdi:download"}}},Ye="ll-strategy-dashboard-mediarip";customElements.get(Ye)||(customElements.define(Ye,fe),(window.customStrategies??=[]).push({type:"mediarip",strategyType:"dashboard",name:"Downloads",description:"Downloads of mediarip-mqtt: add, follow and play them."}));var ge="mediarip-card";customElements.get(ge)||(customElements.define(ge,Z),(window.customCards??=[]).push({type:ge,name:"Downloads (mediarip-mqtt)",description:"Add, follow and play downloads.",preview:!0,getEntitySuggestion:Fe}));
