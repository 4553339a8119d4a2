/** What goes with a password, or a token: kinds of pages, programs and troubles. */
const THINGS = [
  'access|account|admin|agent|alarm|alert|algorithm|api|app|attack|attempt|attribute|audit|auth|backend|backup|banner|bot',
  'box|breach|bucket|buffer|bug|build|button|cache|call|callback|cap|change|check|checker|cipher|claim|class|client|code',
  'column|command|compare|compromise|config|cookie|count|crash|cron|dashboard|data|database|day|default|deploy|dialog',
  'email|endpoint|entri|entries|entry|error|event|expiry|fail|failure|feature|field|file|filter|fix|fixes|flag|flow|form',
  'format|frontend|gateway|generator|grant|guard|handler|hash|hashes|help|helper|hint|history|hook|incident|index|info',
  'input|issue|item|job|key|kind|leak|length|level|library|limit|link|list|lock|lockout|log|login|loop|mail|manager|map',
  'mask|meter|metric|microservice|middleware|mode|model|module|monitor|name|node|note|outage|page|pair|panel|parameter',
  'parser|part|path|pattern|phase|plugin|polici|policy|pool|portal|problem|process|prompt|properti|property|provider',
  'proxy|queri|queue|rate|reader|record|recovery|refresh|release|replica|report|request|reset|retri|retry|reuse|review',
  'role|rollback|rollout|rule|salt|scan|schema|scope|screen|script|secret|server|service|setup|share|sign-in|signin|site',
  'size|status|step|storage|store|strength|support|sync|system|task|team|template|test|text|ticket|time|timeout|tool',
  'topic|traffic|trigger|type|update|upgrade|usage|user|validator|value|vault|webhook|whitespace|widget|worker|workflow',
  'writer',
]
/** What is said of one. */
const SAYINGS = [
  'about|absent|after|again|against|allow|allows|almost|already|also|always|automatic|avoid|back|became|because|been',
  'before|below|best|better|between|block|both|bound|break|broke|came|cannot|case|clear|close|closes|come|comes|common',
  'complex|compliant|content|correct|could|critical|current|dead|different|does|done|each|either|else|empty|enough|equal',
  'even|ever|every|everywhere|exist|exists|expire|expires|external|fine|found|fresh|from|full|generic|global|goes|gone',
  'good|half|hard|have|healthy|held|here|identical|inside|instead|internal|into|just|kept|lacks|last|late|later|latest',
  'left|like|local|long|longer|look|looks|lost|made|make|mandatory|manual|many|match|matches|mean|meet|meets|mismatch',
  'more|most|much|must|necessary|needs|never|nobody|none|null|oauth|okay|once|open|optional|other|over|passkey|past|plain',
  'plaintext|points|present|prevent|prevents|protect|public|read|ready|recent|reject|rejects|require|requires|return',
  'returns|right|safe|same|sample|seems|seen|send|sent|short|shorter|should|show|similar|simple|since|slow|some|soon',
  'stale|starts|still|strong|stuck|such|take|temporary|than|that|their|them|then|there|these|they|this|those|through',
  'today|true|twice|under|unique|unset|until|username|uses|very|weak|well|went|were|what|when|where|whether|which|while',
  'whose|will|with|within|without|work|works|would|write|wrong|yesterday|your',
]
/** How else a word ends that is no secret as it is. */
const ENDINGS =
  /(?:[a-z]ed|[a-z]ing|[ai]ble|[aeiouct]tion|[cst]ion|ment|ence|ance|ity|ness|less|ly|ive|ful|tten|dden|oken|olen|osen|aken|iven|awn|own|['\u2019]s)$/i

const SAID = new RegExp(`^(?:(?:${THINGS.join('|')})(?:e?s)?|${SAYINGS.join('|')})$`, 'i')

/** Whether a word is one that people use to talk about secrets, rather than one. */
export function isSaid(word: string): boolean {
  return SAID.test(word) || ENDINGS.test(word)
}
