import { INCIDENT_STYLE } from './incident-style.ts'

/** The stylesheet of all pages: ink on paper by day, the other way round by night. */
export const STYLE = /* css */ `
:root {
  color-scheme: light dark;
  --paper: #f6f4ee; --card: #fffefb; --ink: #1a2033; --soft: #555b6d; --edge: #85868c; --line: #dedbd0; --fill: #edeae1;
  --accent: #2f419c; --accent-fill: #e9ebf8; --on-accent: #ffffff; --focus: #2f419c;
  --bad: #9a2b17; --bad-fill: #fbe7e1; --warn: #6b4700; --warn-fill: #f8edcf; --good: #17603a; --good-fill: #dff0e5;
  --change: #2f419c; --failure: #b03a22; --strain: #8a5a00; --restart: #7a3a86; --well: #1f7a4b; --tap: 2.25rem;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  --small: .8125rem; --large: 1.125rem; --title: 1.5rem;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1220; --card: #151b2d; --ink: #e8e7e3; --soft: #a6adc0; --edge: #6d7690; --line: #2a3349; --fill: #20283d;
    --accent: #aab8ff; --accent-fill: #1f2a4d; --on-accent: #0d1220; --focus: #f3e2a8;
    --bad: #ff9f8c; --bad-fill: #3d1e1c; --warn: #f0c66f; --warn-fill: #362b12; --good: #86d7a6; --good-fill: #133123;
    --change: #aab8ff; --failure: #ff8f78; --strain: #f0c66f; --restart: #dca3e8; --well: #6fce97;
  }
}
@media (max-width: 46rem), (pointer: coarse) { :root { --tap: 2.75rem; } }
*, *::before, *::after { box-sizing: border-box; }
html { font-size: clamp(100%, 87.5% + .2vw, 162.5%); -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body {
  margin: 0; min-height: 100vh; display: flex; flex-direction: column;
  background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif;
  overflow-wrap: anywhere; font-variant-numeric: tabular-nums;
}
h1, h2, h3, p, ul, ol, dl, dd, figure, fieldset, pre { margin: 0; padding: 0; }
h1 { font-size: var(--title); line-height: 1.25; letter-spacing: -.015em; font-weight: 650; text-wrap: balance; }
h2 { font-size: var(--large); line-height: 1.3; font-weight: 650; letter-spacing: -.005em; }
h3 { font-size: 1rem; font-weight: 650; }
ul, ol { list-style: none; }
fieldset { border: 0; min-width: 0; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: .18em; }
a:hover { text-decoration-thickness: 2px; }
code, pre, kbd { font-family: var(--mono); font-size: .9em; }
bdi { unicode-bidi: isolate; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
.skip { position: absolute; left: -999rem; top: .5rem; padding: .5rem 1rem; background: var(--card); z-index: 2; }
.skip:focus { left: .5rem; }
.quiet { color: var(--soft); }
.small { font-size: var(--small); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.bar { border-bottom: 1px solid var(--line); background: var(--card); }
.bar > div, main, .foot { width: 100%; max-width: 76rem; margin-inline: auto; padding-inline: clamp(1rem, 3vw, 2rem); }
.bar > div { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; min-height: 3.25rem; padding-block: .375rem; }
.brand { display: inline-flex; align-items: center; gap: .5rem; color: var(--ink); font-weight: 700; letter-spacing: -.01em; text-decoration: none; }
.brand svg { display: block; color: var(--accent); }
.bar nav { display: flex; flex-wrap: wrap; gap: .125rem; flex: 1; }
.bar nav a, .tabs a, .brand, button { white-space: nowrap; }
@media (max-width: 34rem) {
  .bar > div { column-gap: .5rem; } .bar nav { order: 3; flex-basis: 100%; justify-content: space-between; gap: 0; margin-inline: -.25rem; font-size: .875rem; } header.bar nav a { padding: .625rem .25rem; }
  .bar form { margin-left: auto; } .fields .field { flex: 1 1 8rem; }
}
.bar nav a, .tabs a { padding: .25rem .5rem; border-radius: 6px; color: var(--soft); text-decoration: none; }
.bar nav a:hover, .tabs a:hover { background: var(--fill); color: var(--ink); }
.bar nav a[aria-current], .tabs a[aria-current] { color: var(--ink); font-weight: 600; background: var(--fill); }
.bar input { width: 12rem; padding-left: 2.125rem; background: var(--paper); } .bar search { margin-left: auto; } .bar search form { position: relative; }
.bar search svg, .bar kbd { position: absolute; top: 50%; translate: 0 -50%; color: var(--soft); pointer-events: none; } .bar search svg { left: .75rem; width: 1rem; fill: none; stroke: currentColor; stroke-width: 1.6; }
.bar kbd { right: .625rem; padding: 0 .4375rem; border: 1px solid var(--line); border-radius: 4px; background: var(--card); } .bar input:is(:focus, :not(:placeholder-shown)) + kbd { display: none; }
@media (max-width: 34rem) { .bar search { flex: 1; } .bar input { width: 100%; } .bar kbd { display: none; } }
@media (max-width: 22.5rem) { header.bar nav { font-size: .8125rem; letter-spacing: -.03em; } header.bar nav a { padding-inline: .125rem; } }
.hit { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 .75rem; align-items: center; min-height: 3rem; padding: .5rem 1.125rem; color: var(--ink); text-decoration: none; } .hits > li + li { border-top: 1px solid var(--line); }
.hit small { display: block; font-size: var(--small); color: var(--soft); } .hit:hover, .hit:focus-visible, .best > li:first-child > .hit { background: var(--accent-fill); box-shadow: inset 3px 0 0 var(--accent); }
.hit mark { background: none; color: inherit; font-weight: 700; text-decoration: underline; text-decoration-color: var(--accent); text-decoration-thickness: 2px; text-underline-offset: .2em; }
main { flex: 1; padding-block: clamp(1.25rem, 3vw, 2.25rem) 4rem; }
.foot { padding-block: 1rem 1.5rem; color: var(--soft); font-size: var(--small); display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; } .foot form { margin-left: auto; }
.foot a { color: inherit; }

.head { display: flex; flex-wrap: wrap; align-items: flex-start; justify-content: space-between; gap: .75rem 2rem; margin-bottom: 1.25rem; }
.head > div { min-width: 0; } .head > div:first-child { flex: 1 1 24rem; }
.head p, .head h1 + .row { margin-top: .375rem; }
.crumb { font-size: var(--small); color: var(--soft); margin-bottom: .25rem; }
.tabs { display: flex; flex-wrap: wrap; gap: .125rem; margin-bottom: 1.25rem; border-bottom: 1px solid var(--line); padding-bottom: .5rem; }
h1 + .tabs { margin-top: .75rem; }
.tabs a:first-child { margin-left: -.5rem; }
section + *, .stack > * + *, .live > * + * { margin-top: 1.75rem; }
section > h2 { margin-bottom: .625rem; display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .625rem; }
h2 .small { font-weight: 400; }
section > h2 + p { margin: -.375rem 0 .75rem; }
.prose { max-width: 44rem; }
.prose > * + * { margin-top: .625rem; }

.cards { display: grid; gap: .75rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.125rem; min-width: 0; }
.card > * + * { margin-top: .5rem; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: .375rem .75rem; min-width: 0; }
.row > .end { margin-left: auto; }
.card h2 { font-size: 1rem; }
.card.group { padding: 0; overflow: hidden; } .group > * + * { margin-top: 0; }
.group > header { padding: .875rem 1.125rem; background: var(--paper); } .group > header > * + * { margin-top: .25rem; } .group h3 { font-size: var(--large); } .group h3 a { text-decoration: underline; text-decoration-color: var(--edge); }
.incident { display: grid; grid-template-columns: 7rem minmax(0, 1fr) 11rem 14rem; gap: 0 1rem; align-items: center; padding: .625rem 1.125rem; min-height: 3.25rem; position: relative; } .incident + .incident, header + ul > .incident { border-top: 1px solid var(--line); }
.incident:hover { background: var(--fill); } .incident .main a { font-weight: 600; color: inherit; text-decoration-color: var(--edge); } .incident .main > a:first-child::after { content: ""; position: absolute; inset: 0; }
.incident .blame { display: block; font-size: var(--small); color: var(--soft); } .incident .svc, .incident .when { font-size: var(--small); color: var(--soft); } .incident .svc, .incident .storm { position: relative; z-index: 1; } .storm { text-decoration: none; } .incident .storm { margin-left: .5rem; } .incident .when { text-align: right; }
@media (max-width: 46rem) { .incident { grid-template-columns: auto minmax(0, 1fr); gap: .25rem .75rem; } .incident .main { grid-column: 1 / -1; grid-row: 2; } .incident .when { grid-row: 1; grid-column: 2; } .incident .svc { display: none; } }
.filters { margin-bottom: 1.5rem; } .filters .field { flex: 0 1 12rem; } .filters > summary { display: flex; align-items: center; min-height: var(--tap); }
.filters > summary::before { content: "▸"; width: 1.25rem; } .filters[open] > summary::before { content: "▾"; } .filters > summary::-webkit-details-marker { display: none; }
@supports selector(::details-content) { @media (min-width: 46.01rem) { .filters > summary { display: none; } .filters::details-content { content-visibility: visible; display: block; block-size: auto; } } }
@media (max-width: 46rem) { .filters { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding-inline: 1rem; } .filters > form { padding-block: .25rem 1rem; } .filters .field { flex: 1 1 9rem; } }
.card h2 a, .card h3 a { color: inherit; text-decoration: none; }
.card h2 a:hover, .card h3 a:hover { text-decoration: underline; }
.answer::first-letter { text-transform: uppercase; }
.answer { font-size: 1.0625rem; line-height: 1.45; }
.action { display: grid; grid-template-columns: max-content 1fr; gap: .5rem; }
.action::before { content: "→"; color: var(--accent); font-weight: 700; }
.badge { display: inline-flex; align-items: center; gap: .375em; font-size: var(--small); line-height: 1.4; padding: .0625rem .5rem; border-radius: 99px; background: var(--fill); color: var(--ink); white-space: nowrap; }
.badge::before { content: ""; width: .5em; height: .5em; border-radius: 50%; background: currentColor; flex: none; }
.badge.plain::before { display: none; }
.badge svg { width: .75em; height: .75em; fill: none; stroke: currentColor; stroke-width: 2; }
.badge.accent { background: var(--accent-fill); color: var(--accent); }
.badge.bad { background: var(--bad-fill); color: var(--bad); }
.badge.warn { background: var(--warn-fill); color: var(--warn); }
.badge.good { background: var(--good-fill); color: var(--good); }
.badge.hollow::before { background: none; border: 1.5px solid currentColor; }

button, .button { font: inherit; font-weight: 500; line-height: 1.35; display: inline-flex; align-items: center; justify-content: center; min-height: var(--tap); padding: .25rem .875rem; border-radius: 8px; border: 1px solid var(--edge); background: var(--card); color: var(--ink); cursor: pointer; text-decoration: none; text-align: center; }
button:hover, .button:hover { border-color: var(--soft); }
button.first, .button.first { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.bad { color: var(--bad); border-color: currentColor; }
button.bare { border-color: transparent; background: none; color: var(--soft); padding-inline: .5rem; font-weight: 400; }
button.bare:hover { color: var(--ink); border-color: var(--line); }
button.minor { font-size: var(--small); padding: .1875rem .625rem; }
@media (min-width: 46.01rem) and (pointer: fine) { button.minor { min-height: 1.75rem; } }
button[aria-pressed="true"] { background: var(--fill); border-color: var(--soft); }
form { min-width: 0; }
.fields { display: flex; flex-wrap: wrap; align-items: flex-end; gap: .75rem; }
form + .scroll, form + .empty { margin-top: 1rem; }
.fields.tall { flex-direction: column; align-items: stretch; max-width: 32rem; }
.field { display: grid; gap: .25rem; min-width: 0; }
label, legend { font-size: var(--small); font-weight: 600; }
.hint { font-size: var(--small); color: var(--soft); font-weight: 400; }
input, select, textarea { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: .25rem .625rem; min-height: var(--tap); width: 100%; min-width: 0; }
input[type="checkbox"], input[type="radio"] { width: auto; min-height: 0; accent-color: var(--accent); }
textarea { min-height: 5.5rem; font-family: var(--mono); font-size: .9em; }
.notice { padding: .625rem .875rem; border-radius: 8px; border: 1px solid var(--line); background: var(--card); margin-bottom: 1.25rem; }
.notice.good { background: var(--good-fill); border-color: transparent; color: var(--good); }
.notice.bad { background: var(--bad-fill); border-color: transparent; color: var(--bad); }
.notice.warn { background: var(--warn-fill); border-color: transparent; color: var(--warn); }
.notice a { color: inherit; }
.empty { border: 1px dashed var(--edge); border-radius: 10px; padding: clamp(1.25rem, 4vw, 2.5rem); }
.empty > * + * { margin-top: .625rem; }
.empty p { max-width: 40rem; }
details > summary { cursor: pointer; }
details.sure { display: inline-block; max-width: 100%; }
details.sure > summary { list-style: none; color: var(--soft); text-decoration: underline; text-underline-offset: .18em; font-size: var(--small); padding: .1875rem 0; }
details.sure > summary::-webkit-details-marker { display: none; }
details.sure[open] { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .75rem; background: var(--paper); }
details.sure form { margin-top: .375rem; display: grid; gap: .5rem; justify-items: start; }
details.more { margin-top: .75rem; }
details.more > summary { color: var(--accent); }
td details.more { margin-top: .25rem; } td details.more li { padding: .125rem 0; }
@media (max-width: 46rem), (pointer: coarse) { :is(.more, .why, .card, .ruled details) > summary { padding-block: .75rem; } }
.map { display: grid; grid-template-columns: minmax(0, 5fr) minmax(3rem, 5fr) minmax(0, 5fr) minmax(3rem, 4fr) minmax(0, 5fr); align-items: center; }
.map ul { display: grid; grid-auto-rows: 4.5rem; align-items: center; } .map ul > *, .map .side, .map .self { min-width: 0; }
.map .side { position: relative; padding-block: 1.5rem; } .map .side h3 { position: absolute; top: 0; font-size: var(--small); color: var(--soft); }
.map.line { display: inline-block; } .map.line svg { width: 30px; }
.map svg { display: block; width: 100%; overflow: visible; } .map .tracks { display: none; }
.node { display: grid; align-content: center; height: 3.5rem; padding: .25rem .75rem; border: 1.25px solid var(--edge); border-radius: 8px; background: var(--card); color: var(--ink); text-decoration: none; line-height: 1.35; }
a.node:hover { background: var(--fill); }
.node b, .node small { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; font-weight: 600; } .node small { font-size: var(--small); font-weight: 400; color: var(--soft); }
.node .since { display: none; } .node small.bad { color: var(--bad); } .node small.good { color: var(--good); }
.node.outside { border-style: dashed; } .self .node { background: var(--accent-fill); border: 2px solid var(--accent); }
.map path { fill: none; stroke: var(--edge); stroke-width: 1.75; vector-effect: non-scaling-stroke; } .map .declared { stroke-dasharray: 6 5; } .map .fails { stroke: var(--failure); stroke-width: 3.5; }
.map .tip, .map .cross { fill: var(--edge); stroke: none; } .map .bad { fill: var(--failure); } .map rect { fill: var(--card); stroke: var(--failure); stroke-width: 1.5; } .map text { fill: var(--bad); font-size: .8125rem; }
@media (max-width: 46rem) {
  .map { grid-template-columns: 3rem minmax(0, 1fr); } .map .edges { display: none; } .map .tracks { display: block; } .map .self { grid-column: 1 / -1; margin-block: .5rem; }
  .map .side { padding-block: 0; } .map .side h3 { position: static; } .map .tracks { align-self: end; } .node .since { display: inline; }
}

.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-size: var(--small); font-weight: 600; color: var(--soft); white-space: nowrap; }
tbody th { font-weight: 600; }
td.number, th.number { text-align: right; }
@media (min-width: 46.01rem) { .feed tbody th { min-width: 10.5rem; } .feed td:nth-child(2) { white-space: nowrap; } .feed td:last-child { min-width: 7.5rem; } }
tr.cited > * { background: color-mix(in srgb, var(--accent) 9%, transparent); }
@media (max-width: 46rem) {
  .fold, .fold tbody, .fold tr, .fold th, .fold td { display: block; width: 100%; }
  .fold thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .fold tr { padding: .625rem .875rem; border-top: 1px solid var(--line); }
  .fold tbody tr:first-child { border-top: 0; }
  .fold th, .fold td { border: 0; padding: .125rem 0; }
  .fold td.number { text-align: left; }
  .fold td[data-label]::before { content: attr(data-label) "  "; color: var(--soft); font-size: var(--small); }
  .fold td:empty { display: none; }
  .feed tr { display: grid; grid-template-columns: minmax(0, 1fr) max-content; gap: 0 .75rem; } .feed tr > * { grid-column: 1 / -1; } .feed tr > :nth-child(-n+2) { grid-column: 1; grid-row: 1; } .feed tr > :first-child { grid-column: 2; max-width: 12rem; text-align: right; } .feed tr.part { display: block; padding-block: .25rem; background: var(--paper); } .feed tr.part > * { max-width: none; text-align: left; }
}
tr.part th { background: var(--paper); font-size: var(--small); padding-block: .375rem; } tr.alert { background: color-mix(in srgb, var(--bad-fill) 45%, transparent); } tr.cited > :first-child { box-shadow: inset 3px 0 0 var(--accent); }
.strip { display: block; width: 100%; margin-bottom: 1rem; padding: 0; } .strip rect { fill: var(--edge); } .strip .rule { stroke: var(--line); } .strip .blamed { fill: var(--change); } .strip .alert { stroke: var(--bad); stroke-width: 2; } .strip text { fill: var(--soft); font-size: .75rem; } .strip text.alert { fill: var(--bad); stroke: var(--card); stroke-width: 4px; paint-order: stroke; font-weight: 600; }
.said { font-size: var(--large); } .said > li + li { margin-top: .5rem; }
.pages { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin-top: .875rem; }

dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1rem; }
dl.facts dt { color: var(--soft); }
@media (max-width: 30rem) { dl.facts { grid-template-columns: minmax(0, 1fr); } dl.facts dd + dt { margin-top: .375rem; } }
.verdict { display: grid; grid-template-columns: minmax(0, 1fr); gap: .75rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: clamp(1rem, 3vw, 1.5rem); }
.verdict > h2 + p { margin: 0; }
.verdict .answer { font-size: clamp(1.125rem, 1rem + .6vw, 1.375rem); line-height: 1.35; font-weight: 550; letter-spacing: -.01em; text-wrap: pretty; }
.ranked { display: grid; gap: .75rem; counter-reset: rank; }
.ranked > li { display: grid; grid-template-columns: 1.75rem minmax(0, 1fr); gap: .125rem .5rem; counter-increment: rank; }
.ranked > li::before { content: counter(rank); font-weight: 650; color: var(--soft); font-size: var(--large); line-height: 1.35; }
.ranked > li > * { grid-column: 2; }
.ranked > li > :first-child { grid-row: 1; }
.reasons li { display: grid; grid-template-columns: 1.125rem minmax(0, 1fr); color: var(--soft); font-size: var(--small); }
.reasons li::before { content: "+"; color: var(--good); font-weight: 700; }
.reasons li.against::before { content: "−"; color: var(--bad); }
.note { white-space: pre-wrap; font-size: .875rem; line-height: 1.5; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .875rem 1rem; }
.code { position: relative; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .625rem .75rem; }
pre.code { white-space: pre-wrap; }
.code > button { float: right; margin: 0 0 .25rem .5rem; }
.secret { border-color: var(--good); }
.columns { display: grid; gap: 1.75rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.columns > * + *, .stack > h1 + * { margin-top: 0; }
.steps { display: grid; gap: 1.25rem; counter-reset: step; }
.steps > li { counter-increment: step; display: grid; grid-template-columns: 2.25rem minmax(0, 1fr); gap: .375rem .5rem; }
.steps > li > * { grid-column: 2; min-width: 0; }
.steps > li::before { content: counter(step); grid-row: 1 / span 2; width: 1.625rem; height: 1.625rem; border-radius: 50%; border: 1.5px solid var(--soft); color: var(--soft); display: grid; place-items: center; font-size: var(--small); font-weight: 650; }
.steps > li.done::before, .steps:has(.wait.good) > li:not(.open)::before { content: "✓"; background: var(--good); border-color: var(--good); color: var(--card); }

.connect { display: grid; grid-template-columns: 17rem minmax(0, 1fr); gap: 1.5rem 2rem; align-items: start; }
.narrow-list { display: none; } .live > .narrow-list { margin-top: 0; padding-block: 0; }
.senders h2 { font-size: var(--small); color: var(--soft); font-weight: 600; margin: 1rem 0 .25rem; } .senders h2:first-child { margin-top: 0; }
.senders a { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 .75rem; align-items: center; min-height: 2.25rem; padding: .25rem .5rem; border-radius: 8px; color: var(--ink); text-decoration: none; }
.senders a:hover, .senders a[aria-current] { background: var(--fill); } .senders a[aria-current] { font-weight: 600; }
.senders .state { font-size: var(--small); color: var(--soft); font-weight: 400; }
.senders .state.good { color: var(--good); } .senders .state.bad { color: var(--bad); }
.opened > * + *, .stack-small > * + * { margin-top: .75rem; } .opened > h2 + p { margin-top: 0; }
.opened .live > section { margin-top: 1.25rem; }
.copy { border: 1px solid var(--edge); border-radius: 8px; background: var(--paper); }
.copy > p { display: inline-block; padding: .5625rem .75rem; font-size: var(--small); color: var(--soft); }
.copy > button { float: right; margin: .25rem; }
.copy pre { clear: both; padding: .5rem .75rem; border-top: 1px solid var(--line); white-space: pre-wrap; line-height: 1.6; }
.opened mark { background: color-mix(in srgb, var(--accent) 12%, var(--card)); color: var(--accent); border-radius: 4px; padding: 0 .15em; }
.dashed > li { padding-left: 1rem; text-indent: -1rem; } .dashed > li::before { content: "– "; color: var(--soft); }
.wait { display: grid; grid-template-columns: 1.5rem minmax(0, 1fr) auto; gap: .25rem .75rem; align-items: center; padding: 1rem; border: 1px dashed var(--edge); border-radius: 8px; }
.wait.good { border: 1px solid var(--good); background: var(--good-fill); } .wait.bad { border: 1px solid var(--bad); background: var(--bad-fill); }
.wait svg { width: 1.5rem; height: 1.5rem; fill: none; stroke: var(--soft); stroke-width: 1.8; } .wait.good svg { stroke: var(--good); } .wait.bad svg { stroke: var(--bad); }
.wait .turn { transform-origin: 50% 50%; animation: turn 1.6s linear infinite; }
@keyframes turn { to { transform: rotate(1turn); } }
@media (max-width: 60rem) { .connect { grid-template-columns: minmax(0, 1fr); } .wide-list { display: none; } .narrow-list { display: block; } }
@media (max-width: 46rem) { .steps > li { grid-template-columns: minmax(0, 1fr); } .steps > li > * { grid-column: 1; } .steps > li::before, .steps > li > h3 { grid-area: 1 / 1; } .steps > li > h3 { padding-left: 2.25rem; min-height: 1.625rem; } .senders a, .narrow-list > summary { min-height: var(--tap); } .wait { grid-template-columns: 1.5rem minmax(0, 1fr); } .wait .button, .wait form { grid-column: 2; justify-self: start; } }

.chart { display: block; width: 100%; overflow: visible; font-size: .75rem; color: var(--ink); }
.chart text { fill: var(--soft); font-size: .75rem; }
.chart.calibration { max-width: 24rem; margin-block: .5rem 1rem; }
.chart .lane { fill: var(--ink); font-weight: 600; font-size: .8125rem; }
.chart .lane, .chart text.cite, .chart text.times { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.chart .rule { stroke: var(--line); stroke-width: 1; }
.chart .alert { stroke: var(--bad); stroke-width: 1.5; }
.chart .onset { stroke: var(--warn); stroke-width: 1.5; stroke-dasharray: 4 3; }
.chart text.alert { fill: var(--bad); stroke: none; font-weight: 600; }
.chart text.onset { fill: var(--warn); stroke: none; font-weight: 600; }
.chart .path { stroke: var(--ink); stroke-width: 1.75; stroke-dasharray: 1 4; stroke-linecap: round; }
.chart .tip { fill: var(--ink); }
.chart .span { stroke: currentColor; stroke-width: 5; stroke-linecap: round; opacity: .35; }
.chart .aside path { opacity: .6; } .chart .aside .span { opacity: .22; }
.chart .halo { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5; }
.chart text.cite { stroke-width: 7px; fill: var(--ink); font-weight: 700; font-size: .6875rem; }
.chart text.times { font-size: .6875rem; }
.mark { color: var(--soft); fill: currentColor; stroke: currentColor; }
.mark.change { color: var(--change); } .mark.failure { color: var(--failure); } .mark.strain { color: var(--strain); } .mark.restart { color: var(--restart); } .mark.well { color: var(--well); } .mark.alert { color: var(--bad); }
.chips { display: flex; flex-wrap: wrap; gap: .5rem; margin-block: 1rem; }
.chips a { display: inline-flex; align-items: center; gap: .375rem; min-height: var(--tap); padding: .25rem .75rem; border: 1px solid var(--edge); border-radius: 99px; color: var(--ink); font-size: var(--small); text-decoration: none; }
.chips a:hover { background: var(--fill); } .chips a[aria-current] { background: var(--accent-fill); border-color: var(--accent); color: var(--accent); font-weight: 650; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; font-size: var(--small); color: var(--soft); margin-top: .5rem; }
figure + .scroll, .card + .scroll { margin-top: 1rem; }
td .mark { vertical-align: -.125rem; }
td .legend { margin-top: .1875rem; }
.legend li { display: inline-flex; align-items: center; gap: .375rem; }
.legend svg { display: block; }
.cites { display: grid; gap: .25rem; }
.cites li { display: grid; grid-template-columns: 1.5rem minmax(0, 1fr); }
.spark { display: block; width: 7.5rem; height: 1.75rem; }
.spark rect { fill: var(--accent); } .spark .none { fill: var(--line); }
.fill { fill: var(--accent); } .ideal { stroke: var(--soft); stroke-dasharray: 4 4; } .dot { fill: var(--card); stroke: var(--accent); stroke-width: 2.5; }
.live { transition: opacity .2s; }
${INCIDENT_STYLE}@media (prefers-reduced-motion: reduce) { *, *::before, *::after { transition: none !important; animation: none !important; scroll-behavior: auto !important; } }
@media (forced-colors: active) { .badge, .card, .notice { border: 1px solid; } .mark { color: CanvasText; } }
@media print { .bar, .foot, form, .skip { display: none; } body { background: none; } }
`
