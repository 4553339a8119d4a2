/** What the page of an incident has in the stylesheet of all pages. */
export const INCIDENT_STYLE = /* css */ `.told { padding: 0; overflow: hidden; } .told > * + * { margin-top: 0; }
.told dl > div { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: 0 1.5rem; padding: .875rem 1.5rem; }
.told dl > div + div { border-top: 1px solid var(--line); }
.told dt { font-size: var(--small); color: var(--soft); line-height: 1.6rem; }
.told dt svg { width: 14px; height: 14px; margin-right: .5rem; vertical-align: -.125rem; fill: none; stroke: currentColor; stroke-width: 1.6; }
.told .main { font-size: var(--large); line-height: 1.6rem; font-weight: 600; letter-spacing: -.005em; text-wrap: pretty; }
.told .more { font-size: var(--small); color: var(--soft); margin-top: .25rem; }
.told .do { background: var(--accent-fill); box-shadow: inset 3px 0 0 var(--accent); } .told .do dt { color: var(--accent); font-weight: 650; }
.told .done { background: var(--good-fill); box-shadow: inset 3px 0 0 var(--good); } .told .done dt { color: var(--good); font-weight: 650; }
.told .do .more, .told .done .more { color: var(--ink); }
.told dd.sure { display: grid; grid-template-columns: 10rem minmax(0, 1fr); gap: 0 1rem; align-items: center; } .told dd.sure .main { grid-column: 1 / -1; }
.told dd.sure svg { width: 100%; height: 8px; } .told dd.sure rect { fill: var(--fill); } .told dd.sure rect + rect { fill: var(--accent); }
.told footer { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem .75rem; padding: .625rem 1.5rem; border-top: 1px solid var(--line); background: var(--paper); font-size: var(--small); }
.told footer > .end { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-left: auto; } .told footer > .end:has([open]) { flex-basis: 100%; } .told footer > .end > [open] { flex-basis: 100%; }
.told footer > details { flex-basis: 100%; order: 1; } .told footer:has(fieldset) { align-items: end; } .told footer summary { min-height: 1.75rem; align-content: center; }
.pick { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .75rem; min-height: 2.25rem; font-size: inherit; font-weight: 400; } .pick label { font-weight: 400; font-size: inherit; }
.pick select, .pick input:not([type]) { flex: 1 1 14rem; width: auto; max-width: 36rem; }
@media (max-width: 46rem) {
  .told dl > div { grid-template-columns: minmax(0, 1fr); padding: .5rem 1rem; } .told dt { line-height: 1.35; } .told .main { line-height: 1.35; }
  .told .more { margin-top: 0; } .told dd.sure { grid-template-columns: minmax(0, 1fr); } .told dd.sure svg { margin-block: .25rem; } .told footer { padding-inline: 1rem; } .told button, .told footer summary { min-height: 2.75rem; }
}
.corner { align-items: flex-start; } .corner > .sure > summary { display: inline-flex; align-items: center; min-height: var(--tap); padding: .25rem .875rem; border: 1px solid var(--edge); border-radius: 8px; background: var(--card); color: var(--ink); font-size: 1rem; font-weight: 500; text-decoration: none; }
.live + .live { margin-top: 1.75rem; } .head .live { margin-top: .375rem; }
.chart .when { stroke-width: 1.5; } .chart .when.alert { stroke: var(--bad); } .chart .when.trouble { stroke: var(--strain); stroke-dasharray: 4 3; } .chart .when.undone { stroke: var(--well); stroke-width: 2; stroke-dasharray: 1 3; }
.chart text.alert, .chart text.trouble, .chart text.undone { font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; } .chart text.alert { fill: var(--bad); } .chart text.trouble { fill: var(--warn); } .chart text.undone { fill: var(--good); }
.chart .silent { stroke: var(--edge); stroke-width: 1.5; } .chart .break { stroke: var(--edge); stroke-width: 5; stroke-dasharray: 2 4; }
.chart .path { stroke: var(--ink); stroke-width: 1.75; stroke-dasharray: none; }
.chart .halo { fill: var(--card); stroke: none; } .chart .cited .halo { stroke: var(--ink); stroke-width: 1.75; } .chart .cause .halo { fill: var(--accent-fill); stroke: var(--accent); stroke-width: 2.5; }
.card .chart .lane, .card .chart text.cite, .card .chart text.times { stroke: var(--card); }
.chart a:focus-visible .halo { stroke: var(--focus); stroke-width: 3; } .chart a { outline-offset: 4px; }
.steps-to { margin-top: .75rem; } .steps-to > li { display: grid; grid-template-columns: 1.5rem 4.75rem minmax(0, 1fr); gap: 0 .75rem; padding: .375rem 0; align-items: baseline; border-top: 1px solid var(--line); }
.steps-to b { display: grid; place-items: center; width: 1.5rem; height: 1.5rem; border-radius: 50%; border: 1.75px solid var(--ink); font-size: var(--small); line-height: 1; } .steps-to .cause b { border-color: var(--accent); background: var(--accent-fill); color: var(--accent); }
.steps-to time { color: var(--soft); font-size: var(--small); } .steps-to p + p { font-size: var(--small); color: var(--soft); } .steps-to .mark { vertical-align: -.125rem; } .steps-to > li:target { background: var(--accent-fill); }
.mark.well { color: var(--well); } .mark.alert { color: var(--bad); }
.since { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); }
.since li { position: relative; padding: 1.625rem 1rem 0 0; line-height: 1.4; }
.since li::before { content: ""; position: absolute; left: 0; right: 0; top: .625rem; border-top: 2px solid var(--line); }
.since > li:last-child::before { right: 60%; border-top-style: dashed; }
.since .mark { position: absolute; left: -2px; top: 0; width: 22px; height: 22px; padding: 3px; background: var(--card); }
.since time { display: block; font-size: var(--small); color: var(--soft); }
.since .good { color: var(--good); font-weight: 600; }
.since details ol { margin-top: .5rem; } .since details li { padding: 0 0 .5rem 1.75rem; } .since details li::before { display: none; }
.pulse { margin-left: auto; font-size: var(--small); font-weight: 400; color: var(--good); letter-spacing: 0; }
.pulse::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: .5rem; border-radius: 50%; background: var(--well); animation: pulse 2s ease-in-out infinite; }
@keyframes pulse { 50% { opacity: .35; } }
.ranked.card { gap: 0; } .ranked.card > li { grid-template-columns: 1.25rem minmax(0, 1fr) 5.5rem; padding: .75rem 0; border-top: 1px solid var(--line); }
.ranked.card > li:first-child { border-top: 0; padding-top: 0; } .ranked .none::before { content: ""; } .ranked.card > li > .why { grid-column: 2 / -1; }
.ranked.card > li > .share { grid-column: 3; grid-row: 1; text-align: right; } .share strong { white-space: nowrap; } .share svg { display: block; width: 100%; height: 6px; } .share rect { fill: var(--fill); } .share rect + rect { fill: var(--edge); } .ranked > li:first-child .share rect + rect { fill: var(--accent); }
.ruled > li + li, .gaps > li + li { border-top: 1px solid var(--line); } .ruled summary { padding-block: .375rem; } .ruled summary .badge { float: right; } .ruled ul { display: grid; gap: .375rem; padding: 0 0 .5rem 1.125rem; color: var(--soft); }
.gaps li { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .25rem 1rem; padding: .375rem 0; }
.card.ruled > * + *, .card.gaps > * + *, .ranked.card > * + * { margin-top: 0; }
.unfold { margin-top: .75rem; }
.feed td.v { font-size: var(--small); min-width: 6.5rem; } .feed tr.cited > * { background: none; } .feed tr.cited > :first-child { box-shadow: inset 3px 0 0 var(--accent); } .feed small { display: block; font-size: var(--small); color: var(--soft); font-weight: 400; } .feed td.k { white-space: nowrap; } tr:target > * { background: var(--accent-fill); }
.fields label.field { font-size: var(--small); font-weight: 600; }
@media (max-width: 46rem) {
  .steps-to > li { grid-template-columns: 1.5rem minmax(0, 1fr); } .steps-to > li > * { grid-column: 2; } .steps-to > li > b { grid-column: 1; grid-row: 1 / span 2; }
  .feed tbody tr { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 .75rem; }
  .feed td.k { grid-area: 1 / 1; font-size: var(--small); white-space: normal; } .feed tr.cited { box-shadow: inset 3px 0 0 var(--accent); } .feed tr.cited > :first-child { box-shadow: none; } .feed td.t { grid-area: 1 / 2; font-size: var(--small); text-align: right; width: auto; }
  .feed th.s { grid-area: 2 / 1 / auto / -1; } .feed td.w { grid-area: 3 / 1 / auto / -1; } .feed td.v { grid-column: 1 / -1; } .feed th small { display: inline; } .feed th small::before { content: " "; }
  .head:has(> .corner) { position: relative; } .head > .corner:not(:has([open])) { position: absolute; top: -.375rem; right: 0; } .head:has(> .corner) .crumb { min-height: 2.5rem; padding-top: .25rem; }
  .since { grid-auto-flow: row; } .since > li { padding: 0 0 .875rem 2.25rem; }
  .since > li::before { left: 8px; right: auto; top: 0; bottom: 0; border-top: 0; border-left: 2px solid var(--line); }
  .since > li:last-child { padding-bottom: 0; } .since > li:last-child::before { display: none; } .since > .folded > details > summary { min-height: 2.75rem; }
}
`
