"""What the page to look at data adds to the style sheet that all pages share."""

from __future__ import annotations

from typing import Final

from packtrain.report.pieces import STYLE as SHARED

STYLE: Final = (
    SHARED
    + """
h3{font-size:1rem;margin:1.6rem 0 .4rem}nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.3rem 1rem}
a{color:var(--blue)}:focus-visible{outline:3px solid var(--blue);outline-offset:1px}
.private{border-left:4px solid var(--amber);background:var(--panel);padding:.6rem .9rem;border-radius:0 8px 8px 0}
pre{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem;overflow-x:auto}
pre,summary code{font:.86rem/1.45 ui-monospace,monospace}
figure{margin:0}.frames{display:flex;gap:3px;justify-content:center}
.frame{position:relative;display:flex;align-items:center;justify-content:center;background:var(--panel);min-width:0;
border-radius:4px;overflow:hidden}.frame img{display:block;max-width:100%;height:auto;object-fit:contain}
.frame img.tiny{image-rendering:pixelated}
.frame.none{color:var(--dim);font-size:.75rem;line-height:1.3;padding:.4rem;overflow-wrap:anywhere;text-align:center}
.at{position:absolute;left:0;bottom:0;background:#000a;color:#fff;font-size:.66rem;line-height:1.3;padding:0 .25rem}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(6.6rem,1fr));gap:6px}
.sheet .frame{width:100%;aspect-ratio:1}.sheet .frame img{width:100%;height:100%}
.sheet.strips{grid-template-columns:repeat(auto-fill,minmax(min(100%,25rem),1fr));gap:.8rem 1.8rem}
.sheet.strips .frames,.strip .frames{justify-content:flex-start}
.sheet.strips .frame,.strip .frame{flex:1 1 0;max-width:7rem;aspect-ratio:auto}
.sheet.strips .frame img,.strip .frame img{width:100%;height:auto}
.told{position:fixed;z-index:2;left:0;right:0;bottom:0;max-height:40vh;overflow:hidden;padding:.6rem 1.2rem;opacity:0;
pointer-events:none;background:var(--panel);border-top:2px solid var(--blue);overflow-wrap:anywhere}
.tile:hover .told,.tile:focus .told{opacity:1}.tile:hover .told{z-index:3}
.tile:hover .frames{outline:2px solid var(--blue)}
figcaption span,figcaption b{margin-right:.5rem}figcaption i{color:var(--dim);font-style:normal}
figcaption{overflow-wrap:anywhere}figcaption code{color:var(--dim)}
.captioned{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.8rem}
.captioned figcaption,.two figcaption{font-size:.78rem;line-height:1.35;margin-top:.25rem}
.captioned .strip{grid-column:1/-1}.captioned .frames,.two .frames{justify-content:flex-start}
.captioned figcaption span,.two figcaption span{display:block}
.twos{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr));gap:.8rem}
.two{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:.3rem .8rem;background:var(--panel);
border:1px solid var(--line);border-radius:8px;padding:.7rem;align-content:start}
.two .frame{background:var(--paper)}.two .captioned{display:block}.two .strip .frames{flex-wrap:wrap}
.two .strip .frame{flex:0 1 30%}.measured{grid-column:1/-1;margin:0}.measured b{font-size:1.15rem}
.differ{grid-column:1/-1}.differ table{font-size:.78rem}.differ .side{margin-top:.5rem}
.side{margin:0 0 .2rem;color:var(--dim);font-size:.78rem;text-transform:uppercase;letter-spacing:.04em}
.names{margin:0;padding-left:1.1rem;font-size:.85rem}
details{margin:.5rem 0}summary{cursor:pointer;overflow-wrap:anywhere}summary .dim{margin-left:.4rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:1rem 1.6rem}
.chart svg,svg.spark,svg.share{min-width:0}.chart details{font-size:.85rem;margin:.2rem 0 0}.chart p{margin:.4rem 0}
rect.before,.key.before{fill:var(--dim);background:var(--dim);opacity:.4}rect.after,path.after,.key.after{fill:var(--blue);
background:var(--blue)}.key{display:inline-block;width:.8em;height:.8em;margin:0 .2em 0 .6em;border-radius:2px}
svg.spark{width:6.5rem;height:1.6rem}svg.share{display:inline-block;width:5rem;height:.6rem;vertical-align:baseline}
.profile td:nth-child(2),.profile td:nth-child(3),.profile .dim{white-space:nowrap}
.profile td:nth-child(4){min-width:9rem}.profile .dim{font-size:.78rem}
.top{list-style:none;margin:0;padding:0;font-size:.82rem;min-width:11rem;display:flex;flex-wrap:wrap;gap:0 .9rem}
.top li{overflow-wrap:anywhere}
.top span{color:var(--dim)}.reject td{overflow-wrap:anywhere}
.counts td:not(:first-child){font-variant-numeric:tabular-nums}
@media(max-width:40rem){.profile thead{display:none}.profile tr{display:block;padding:.5rem 0;
border-bottom:1px solid var(--line)}.profile td{display:inline-block;border:0;padding:0 .9rem .1rem 0}
.profile td:first-child,.profile td:empty{display:block;padding:0}.profile td:nth-child(2)::before{content:"empty "}
.profile td:nth-child(3)::before{content:"different "}.told{padding:.6rem .8rem;font-size:.85rem}}
@media print{.told{position:static;opacity:1}}
"""
)
