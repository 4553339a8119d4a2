/**
 * The words a model may use besides the names in the evidence: enough to say what changed where, when and what followed.
 * No word that denies or reassures is among them, so that no sentence made of them can explain an alert away.
 */
const WORDS = new Set(
  `a about across active actual add affect after again ago agent alert alerting all almost alone along already also although an and another
  api app appear application apply argue around arrive as associate at available average away back backend backlog bad be because become before
  begin behind behaviour behavior being below between big both breach break breaker broken broker brought build burst but by cache call
  callee caller came can candidate capacity cascade cause chain change check circuit client close cluster code coincide come commit
  common complete config configuration connect connection consecutive consistent consumer container contention correlate could count cpu crash
  critical crossed current customer data database db deadlock declare decrease deep deepest default degrade delay delivery dependency depend
  deploy deployment detect did differ direct directly disk disruption do does down downstream drain due during each earlier early edge effect either emit
  end endpoint enter entity error escalate event every evict eviction evidence exceed exception exhaust exhaustion exit explain exposed fail
  failure fall fatal feature few fewer first flag flip flow follow for four frequent fresh from front frontend full gateway get gave given go got
  grow growth had half hand handle happen has have heap heavy here high higher hit hop host hour how however image impact in incident include
  incoming increase index indicate indirect initial instance instead interrupt into introduce is issue it its itself job just killed
  knock-on lag large last late latency later latest launch lead leader least leave led left less level like likely limit line link list
  load local lock log long lost low lower made main make many match may memory message method middle might migrate migration minute more
  most much multiple name near nearly network new newly next node observe occur of off old on once one onset only open opened operation or order
  origin other out outage over overload own page panic parallel part partition path pattern peak pending per percent place plausible pod point
  points pool possible post precede preceding present pressure previous primary prior probable probably probe problem process produce producer production
  progress propagate publish pull push query queue quick quickly quota raise ran rate rather reach reached read ready reason rebalance recent recently
  record reduce region regress regression related relate release reload remote repeat replica replicate replication report request respond
  response restart result retry return revision rise rising roll rolled rollout root route rule same saturate saturation saw scale schema
  second see seen send sent series server service session set several share sharp shift short show shown shortly side sign signal similar
  since single six size slot slow slower small so some soon source span spike spread stage stall start state step still storage store strong
  subsequent sudden suggest surge suspect switch symptom sync system table target task ten than that the their them then there these they
  third this those though thread three threshold through throughput throttle time timeline timeout times timing to together toggle took
  total toward trace traffic transaction transition trigger turn twice two under unit until unusual up update upgrade upstream usage use user
  usual usually utc value variant version very via volume wait warn warning was way weak went were what when where whether which while whole
  whose why window with within worker workload worse worst would write wrote yet zone sha eight five nine seven eleven twelve`.split(/\s+/),
)

const ENDINGS: readonly (readonly [RegExp, string])[] = [
  [/s$/, ''],
  [/es$/, ''],
  [/ies$/, 'y'],
  [/ed$/, 'e'],
  [/ed$/, ''],
  [/ied$/, 'y'],
  [/ing$/, ''],
  [/ing$/, 'e'],
  [/ly$/, ''],
  [/(.)\1(?:ed|ing)$/, '$1'],
]

/** Whether a word, in any of its plain forms, is among the words a sentence may use freely. */
export function isPlainWord(word: string): boolean {
  const lower = word.toLowerCase()
  return WORDS.has(lower) || ENDINGS.some(([ending, stem]) => ending.test(lower) && WORDS.has(lower.replace(ending, stem)))
}
