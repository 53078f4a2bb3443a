"""The style sheet of the report: what all pages share, and what only this one has."""

from __future__ import annotations

from typing import Final

from packtrain.report.pieces import STYLE

PAGE_STYLE: Final = (
    STYLE
    + """
.done{color:var(--green)}.changed,.waiting,.not-known{color:var(--amber)}.to-do{color:var(--blue)}.not-needed{color:var(--dim)}
.route{list-style:none;padding:0;margin:1.2rem 0 0;display:grid;grid-template-columns:repeat(5,1fr)}
.route li{--tone:var(--line);position:relative;padding:1.9rem .8rem 0 0;color:var(--dim);font-size:.88rem;
line-height:1.35}
.route li::before{content:"";position:absolute;left:.75rem;right:-.75rem;top:.7rem;border-top:3px solid var(--tone)}
.route li:last-child::before{display:none}.route li:not(.done)::before{border-top-style:dashed}
.route b{display:block;color:var(--ink);font-size:.98rem}
.route .mark{position:absolute;left:0;top:0;width:1.5rem;height:1.5rem;border-radius:50%;border:2px solid var(--tone);
background:var(--paper);color:var(--tone);font-size:.8rem;line-height:1.25rem;text-align:center}
.route .done{--tone:var(--green)}.route .here{--tone:var(--blue)}.route .here b{color:var(--blue)}
.route .done .mark,.route .here .mark{background:var(--tone);color:var(--paper)}.route .to-come .mark{color:transparent}
progress{appearance:none;width:100%;max-width:44rem;height:.6rem;border:0;border-radius:4px;background:var(--line);
overflow:hidden;display:block}
progress::-webkit-progress-bar{background:var(--line)}
progress::-webkit-progress-value{background:var(--blue)}progress::-moz-progress-bar{background:var(--blue)}
.bars{list-style:none;margin:.6rem 0 0;padding:0;display:grid;gap:.25rem 1.4rem;font-size:.86rem;
grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr))}
.bars li{display:grid;grid-template-columns:2.6rem 1fr minmax(0,11rem);gap:.5rem;align-items:center}
.bars b{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.cases{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.7rem}
.cases .case{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.6rem .7rem .7rem}
.case h3{margin:0;font-size:1rem}.case p{margin:0 0 .5rem;font-size:.85rem;color:var(--dim);overflow-wrap:anywhere}
.cells{list-style:none;padding:0;margin:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(5.6rem,1fr));gap:.4rem}
.cells li{border:1px solid var(--tone);border-left:5px solid var(--tone);background:var(--paper);border-radius:5px;
padding:.25rem .4rem;font-size:.8rem;line-height:1.3;color:var(--dim);min-height:3.3rem;overflow-wrap:anywhere}
.cells b{display:block;color:var(--ink);font-size:.92rem}
.planned{--tone:var(--line)}.begun{--tone:var(--dim)}.closed,.sealed{--tone:var(--blue)}.checked,.read{--tone:var(--green)}
.repaired,.erased{--tone:var(--amber)}.unusable,.damaged,.lost{--tone:var(--red)}
.cells .lost,.cells .planned{border-style:dashed;border-left-style:solid}
.cells .damaged,.cells .unusable,.cells .lost{border-width:2px 2px 2px 6px}
.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;font-size:.85rem;color:var(--dim)}
.swatch{display:inline-block;width:.8rem;height:.8rem;border-radius:3px;background:var(--tone);margin-right:.4rem;
vertical-align:-.08rem}
.squares{display:flex;flex-wrap:wrap;gap:2px}.squares i{width:10px;height:10px;border-radius:2px;background:var(--tone)}
svg.shares{min-width:0;height:1.6rem;border-radius:5px;margin:.6rem 0}
.part-green{fill:var(--green)}.part-red{fill:var(--red)}.part-amber{fill:var(--amber)}.part-blue{fill:var(--blue)}
.part-dim{fill:var(--dim)}.tone-green{--tone:var(--green)}.tone-red{--tone:var(--red)}.tone-amber{--tone:var(--amber)}
.tone-blue{--tone:var(--blue)}.tone-dim{--tone:var(--dim)}
details{margin:.8rem 0}summary{cursor:pointer;overflow-wrap:anywhere}
.pictures{margin-top:1rem}footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:.8rem}
:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
@media(max-width:40rem){main{padding:1.2rem .9rem 3rem}.route{grid-template-columns:1fr}
.route li{padding:0 0 .9rem 2.3rem;min-height:2.6rem}
.route li::before{left:.7rem;right:auto;top:1.5rem;bottom:0;border-top:0;border-left:3px solid var(--tone)}
.route li:not(.done)::before{border-left-style:dashed}
.cases{grid-template-columns:1fr}}
@media print{:root{--ink:#000;--dim:#444;--paper:#fff;--panel:#fff;--line:#bbb;--blue:#1d4f86;
--green:#20633c;--amber:#8a5200;--red:#98281f}body{font-size:11pt}main{max-width:none;padding:0}section{break-inside:auto}h2,h3{break-after:avoid}
.case,.card,tr,.drawing{break-inside:avoid}.wide,.drawing{overflow:visible}svg{min-width:0}}
"""
)
