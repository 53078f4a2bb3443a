"""How papers look: A4, black on white, heads of tables on every page, page numbers where the browser sets them."""

from __future__ import annotations

from typing import Final

CSS: Final = """
@page{size:A4;margin:14mm 13mm 16mm;@bottom-left{font:7.5pt "Liberation Sans",Arial,sans-serif;color:#000}
@bottom-right{content:"Page " counter(page) " of " counter(pages);font:7.5pt "Liberation Sans",Arial,sans-serif}}
*{box-sizing:border-box;margin:0;padding:0}
body{font:9.5pt/1.35 "Liberation Sans",Arial,Helvetica,sans-serif;color:#000;background:#fff;
overflow-wrap:anywhere}
@media screen{body{max-width:210mm;margin:0 auto;padding:14mm 13mm}}
header{display:flex;justify-content:space-between;gap:8mm;border-bottom:.7mm solid #000;padding-bottom:2.5mm;
margin-bottom:3mm}
header>div{min-width:0;overflow-wrap:anywhere}
h1{font-size:19pt;line-height:1.15;letter-spacing:.01em}
.subtitle{font-size:10.5pt;margin:1mm 0}
figure{flex:none;width:29mm;text-align:center}figure svg{display:block;width:29mm;height:29mm;
shape-rendering:crispEdges}
figcaption{font-size:6pt;line-height:1.1}
section{margin-top:4mm}
h2{font-size:10.5pt;border-bottom:.25mm solid #000;margin-bottom:1.2mm;break-after:avoid}
h3{font-size:7.5pt;text-transform:uppercase;letter-spacing:.05em}
p,dd,td,th,h1,h2,b{unicode-bidi:isolate}
.boxes{display:flex;gap:3mm;margin-top:2mm}
.box,.sign{flex:1 1 0;min-width:0;border:.25mm solid #000;padding:1.6mm 2mm;overflow-wrap:anywhere;break-inside:avoid}
.thin{font-size:8.5pt}
dl{display:grid;grid-template-columns:1fr 1fr;column-gap:5mm;margin-top:2.5mm}
dl>div{display:grid;grid-template-columns:32mm 1fr;gap:2mm;border-bottom:.15mm solid #999;padding:.7mm 0;
break-inside:avoid}
dt{font-size:8pt;padding-top:.3mm}dd{min-width:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
.lines{table-layout:fixed;margin-top:1.5mm;font-size:8.8pt;line-height:1.25}
.lines th,.lines td{border:.2mm solid #000;padding:.7mm 1.3mm;text-align:left;vertical-align:top;
overflow-wrap:anywhere}
.lines thead{display:table-header-group}.lines thead th{background:#e8e8e8;font-size:7.8pt;vertical-align:bottom;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.lines tr{break-inside:avoid}
.lines .n{text-align:right}.lines td.n{white-space:nowrap}
.lines td.m,.mono{font-family:"Liberation Mono","DejaVu Sans Mono",monospace}
.lines td.x{font-family:"Liberation Mono","DejaVu Sans Mono",monospace;font-size:6.8pt}
.hand td{height:8mm}
.serials{columns:3;column-gap:5mm;margin-top:1mm;font-size:8.8pt;line-height:1.3}
.serials p{break-inside:avoid;overflow-wrap:anywhere}
.sum{margin-left:auto;width:96mm;margin-top:2mm;break-inside:avoid}.sum td{padding:.6mm 1.3mm;
border-bottom:.15mm solid #999}
.sum td:last-child{text-align:right;white-space:nowrap}.sum tr:last-child td{font-weight:bold;
border-bottom:.6mm double #000}
.say{margin-top:1.5mm}.big{font-size:12pt;font-weight:bold;margin:1mm 0}
ul{list-style:none}li{margin:.8mm 0 .8mm 6mm;text-indent:-6mm}li::before{content:"\\2610";display:inline-block;
width:6mm;
text-indent:0;font-family:"DejaVu Sans","Segoe UI Symbol",sans-serif}
.plain li::before{content:"\\2013"}
.signs{margin-top:4mm}
.write{display:flex;gap:2mm;align-items:flex-end;height:8.5mm;font-size:8pt}.write i{flex:1;
border-bottom:.25mm solid #000}
footer{margin-top:5mm;border-top:.25mm solid #000;padding-top:1.5mm;font-size:7pt;line-height:1.3;break-inside:avoid}
footer .mono{font-size:6.3pt;overflow-wrap:anywhere}.digests td{padding:0 2mm 0 0}.digests td:first-child{width:36mm}
.keep{break-inside:avoid}.annex{break-before:page}.lines thead th.over{font-size:9.5pt}
.two{columns:2;column-gap:3mm}.two p{break-inside:avoid}
"""
