/** What goes with a password, or a token: kinds of pages, programs and troubles. */
const THINGS = [
  'access|account|admin|agent|alarm|alert|algorithm|api|app|argument|attack|attempt|attribute|audit|auth|authoriti',
  'authority|backend|backup|ban|banner|book|bot|box|branch|breach|brute|bucket|budget|buffer|bug|build|button|cache|call',
  'callback|cap|change|check|checker|cipher|claim|class|cleanup|client|cluster|code|column|command|commit|compare',
  'complexity|compromise|config|controller|cookie|copy|cost|count|crack|cracker|crash|cron|dashboard|data|database|day',
  'default|deploy|dialog|dictionary|differ|domain|dump|email|endpoint|entri|entries|entry|error|event|expert|expiration',
  'expiry|fail|failure|feature|feed|field|file|filter|fix|fixes|flag|flow|folder|form|format|frontend|gate|gateway',
  'generator|grant|group|guard|guess|guesser|guessing|handler|hash|hashes|hashing|help|helper|hint|histori|history|holder',
  'hook|image|incident|index|info|input|island|issue|item|job|key|kind|label|lambda|latency|leak|lease|length|level',
  'library|limit|line|link|list|lock|lockout|log|login|loop|mail|manager|map|mask|media|meter|metric|microservice',
  'middleware|migration|modal|mode|model|module|monitor|name|news|node|note|object|option|outage|owner|page|pair|pane',
  'panel|parameter|parser|part|patch|path|pattern|pepper|phase|phishing|picker|plugin|pod|policie|policy|pool|portal',
  'practice|probe|prober|problem|process|prompt|properti|property|protector|provider|proxy|queri|question|queue|rate',
  'rating|reader|record|recovery|refresh|rehash|release|replica|report|request|reset|result|retri|retry|reuse|review|role',
  'rollback|rollout|rotation|rotator|route|router|row|rule|salt|saver|scan|schema|scope|score|screen|script|secret',
  'section|server|service|session|setting|setup|share|sharing|sign-in|signal|signin|site|size|source|space|spray|spraying',
  'stack|status|step|storage|store|strategy|strength|string|stuffing|support|sync|system|table|task|team|template|test',
  'text|theft|ticket|time|timeout|tip|toggle|token|tool|topic|total|trace|tracker|traffic|trigger|type|update|upgrade',
  'usage|user|validator|value|vault|version|view|warning|watch|webhook|whitespace|widget|window|wizard|worker|workflow',
  'writer|year|zone',
]
/** What is said of one. */
const SAYINGS = [
  'about|absent|after|again|against|alive|allow|allows|almost|alone|already|also|although|always|another|anymore|anyone',
  'anything|anywhere|appears|authentication|automatic|avoid|avoids|back|became|because|becomes|been|before|begins|behind',
  'being|below|best|better|between|bigger|block|blocks|blue|both|bound|break|breaks|broke|came|cannot|case|cause|caused',
  'causes|clear|close|closes|come|comes|common|complex|compliant|comply|consistent|contain|contains|content|convenient',
  'correct|could|critical|current|dead|dependent|died|different|does|done|down|dummy|during|each|easier|easy|either|else',
  'empty|enough|equal|even|ever|every|everywhere|exceed|exceeds|exist|exists|expire|expires|external|fake|faster|faulty',
  'fine|flaky|forbid|found|fresh|from|full|generic|gets|given|global|goes|gone|good|green|half|hard|harder|have|healthy',
  'held|here|higher|hits|however|idempotent|identical|important|inactive|include|includes|inconsistent|independent|inside',
  'instead|insufficient|internal|into|irrelevant|just|keep|keeps|kept|lacks|larger|last|late|later|latest|left|legacy',
  'less|like|live|local|long|longer|look|looks|lost|lower|made|make|makes|mandatory|manual|many|match|matches|maybe|mean',
  'meet|meets|mine|mismatch|mismatches|missing|more|most|much|must|nearly|necessary|need|needs|never|newer|nobody|none',
  'nothing|notice|null|oauth|okay|older|once|only|open|optional|other|ours|outdated|over|passkey|passwordless|past',
  'perhaps|permanent|persistent|plain|plaintext|points|present|prevent|prevents|protect|public|quite|rather|read|reads',
  'ready|really|recent|redundant|reject|rejects|relevant|remains|require|requires|return|returns|right|rotates|runs|safe',
  'same|sample|says|seems|seen|send|sends|sensitive|sent|shared|short|shorter|should|show|shows|silent|similar|simple',
  'since|slow|slower|smaller|some|soon|stale|starts|stays|still|stops|strong|stronger|stuck|such|sufficient|take|takes',
  'temporary|than|that|their|theirs|them|then|there|these|they|this|those|though|through|throw|throws|timed|today',
  'together|tomorrow|tonight|transient|true|twice|under|unique|unless|unnecessary|unset|until|urgent|used|username|uses',
  'using|validates|very|visible|weak|weaker|weird|well|went|were|what|when|where|whether|which|while|whom|whose|will|with',
  'within|without|work|works|worse|worst|would|write|writes|wrong|yesterday|your',
]
/** How else a word ends that is no secret as it is. */
const ENDINGS =
  /(?:[a-z]ed|[a-z]ing|[ai]ble|[aeiouct]tion|[cst]ion|ment|ence|ance|ity|ness|less|ly|ive|ful|tten|dden|oken|olen|osen|aken|iven|awn|own|['\u2019]s)$/i

const SAID = new RegExp(`^(?:(?:${THINGS.join('|')})(?:e?s)?|${SAYINGS.join('|')})$`, 'i')

/** Whether a word is one that people use to talk about secrets, rather than one. */
export function isSaid(word: string): boolean {
  return SAID.test(word) || ENDINGS.test(word)
}
