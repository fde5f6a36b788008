// Leaves out of lit-html what no template of the card uses: directives, SVG and MathML templates, compiled
// templates, bindings to properties, elements and comments, and expressions within <textarea> and its like.
// A cut that does not fit stops the build: after an update of lit-html, look at each of them again.
const CUTS = [
  // Directives, and what is there for them alone.
  ['function M(t,i,s=t,e){if(i===E)return i;let h=void 0!==e?s._$Co?.[e]:s._$Cl;const o=a(i)?void 0:i._$litDirective$;return h?.constructor!==o&&(h?._$AO?.(!1),void 0===o?h=void 0:(h=new o(t),h._$AT(t,s,e)),void 0!==e?(s._$Co??=[])[e]=h:s._$Cl=h),void 0!==h&&(i=M(t,h._$AS(t,i.values),h,e)),i}', ""],
  ["t=M(this,t,i),a(t)?", "a(t)?"],
  ["t=M(this,t,i,0),o=", "o="],
  ["r=M(this,e[s+n],i,n),", "r=e[s+n],"],
  ["(t=M(this,t,i,0)??A)===E", "(t=t??A)===E"],
  ["get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t)", "u(t)"],
  ["get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,i,s,e){", "constructor(t,i,s,e){"],
  [",this._$Cv=e?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode;const i=this._$AM;return void 0!==i&&11===t?.nodeType&&(t=i.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}", "}"],
  ["_$AR(t=this._$AA.nextSibling,s){for(this._$AP?.(!1,!0,s);t!==this._$AB;)", "_$AR(t=this._$AA.nextSibling){for(;t!==this._$AB;)"],
  ["setConnected(t){void 0===this._$AM&&(this._$Cv=t,this._$AP?.(t))}", ""],
  ["get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}", ""],
  ["this._$AV=[],this._$AN=void 0,", "this._$AV=[],"],
  ["this._$AH=A,this._$AN=void 0,this._$AA=t", "this._$AH=A,this._$AA=t"],
  ["this._$AH=A,this._$AN=void 0,this.element=t", "this._$AH=A,this.element=t"],
  // SVG, MathML and compiled templates.
  ['l=2===i?"<svg>":3===i?"<math>":"",', 'l="",'],
  ['+(2===i?"</svg>":3===i?"</math>":""))', ")"],
  ["if(this.el=S.createElement(f,e),P.currentNode=this.el.content,2===i||3===i){const t=this.el.content.firstChild;t.replaceWith(...t.childNodes)}for(", "for(this.el=S.createElement(f,e),P.currentNode=this.el.content"],
  ['e="number"==typeof s?this._$AC(t):(void 0===s.el&&(s.el=S.createElement(V(s.h,s.h[0]),this.options)),s);', "e=this._$AC(t);"],
  // Bindings to properties, elements and comments.
  ['"."===e[1]?I:', ""],
  ["else t.startsWith(o)&&(d.push({type:6,index:l}),r.removeAttribute(t));", ""],
  ["1===r.type?i=new r.ctor(h,r.name,r.strings,this,t):6===r.type&&(i=new Z(h,this,t))", "1===r.type&&(i=new r.ctor(h,r.name,r.strings,this))"],
  ["class Z{constructor(t,i,s){this.element=t,this.type=6,this._$AN=void 0,this._$AM=i,this.options=s}get _$AU(){return this._$AM._$AU}_$AI(t){M(this,t)}}", ""],
  ["class I extends H{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===A?void 0:t}}", ""],
  ["else{let t=-1;for(;-1!==(t=r.data.indexOf(o,t+1));)d.push({type:7,index:l}),t+=o.length-1}", ""],
  // Expressions within <script>, <style>, <textarea> and <title>.
  ['if(y.test(r.tagName)){const t=r.textContent.split(o),i=t.length-1;if(i>0){r.textContent=s?s.emptyScript:"";for(let s=0;s<i;s++)r.append(t[s],c()),P.nextNode(),d.push({type:2,index:++l});r.append(t[i],c())}}', ""],
  ['(y.test(u[2])&&(n=RegExp("</"+u[2],"g")),c=p)', "(c=p)"],
  // Options: of a listener (a function is enough), and of `render`.
  ["e=t===A&&s!==A||t.capture!==s.capture||t.once!==s.once||t.passive!==s.passive,h=t!==A&&(s===A||e);", "e=t===A&&s!==A,h=t!==A&&s===A;"],
  ['"function"==typeof this._$AH?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)', "this._$AH.call(this.element,t)"],
  ["(t?.creationScope??l).importNode", "l.importNode"],
  ["D=(t,i,s)=>{const e=s?.renderBefore??i;let h=e._$litPart$;if(void 0===h){const t=s?.renderBefore??null;e._$litPart$=h=new k(i.insertBefore(c(),t),t,void 0,s??{})}", "D=(t,i)=>{let h=i._$litPart$;if(void 0===h){i._$litPart$=h=new k(i.insertBefore(c(),null),null)}"],
  ["this._$AB=i,this._$AM=s,this.options=e}", "this._$AB=i,this._$AM=s}"],
  ["constructor(t,i,s,e){this.type=2,", "constructor(t,i,s){this.type=2,"],
  ["this._$AM=e,this.options=h,s.length>2", "this._$AM=e,s.length>2"],
  ["constructor(t,i,s,e,h){this.type=1,", "constructor(t,i,s,e){this.type=1,"],
  ["constructor(t,i,s,e,h){super(t,i,s,e,h),this.type=5}", "constructor(t,i,s,e){super(t,i,s,e),this.type=5}"],
  ["new k(h,h.nextSibling,this,t)", "new k(h,h.nextSibling,this)"],
  ["this.O(c()),this,this.options)", "this.O(c()),this)"],
  ["s=t.u(this.options);", "s=t.u();"],
  ["u(t){const{el:{content:i}", "u(){const{el:{content:i}"],
  // What only other packages of Lit ask for.
  ["const j={M:h,P:o,A:n,C:1,L:N,R,D:d,V:M,I:k,H,N:L,U:z,B:I,F:Z},B=t.litHtmlPolyfillSupport;B?.(S,k),(t.litHtmlVersions??=[]).push(\"3.3.3\");const D=", "const D="],
  ["j as _$LH,", ""],
];
/** Return the source of lit-html without them. */
export function trimmed(source) {
  for (const [from, to] of CUTS) {
    if (source.split(from).length !== 2) throw new Error(`lit-html: not there, or not once: ${from}`);
    source = source.replace(from, () => to);
  }
  return source;
}
