/** A secret that its own form gives away. Both texts are expressions; the mark, which every such secret holds, ignores case. */
type SecretFormat = { readonly mark: string; readonly form: string }

const format = (mark: string, form: string): SecretFormat => ({ mark, form })

/**
 * Secrets by their form. Above each is who documents it: a rule of gitleaks 8, unless it names somebody else, who issues it. Ours are
 * wider where a part of a secret would otherwise stay.
 */
const SECRET_FORMATS: readonly SecretFormat[] = [
  // our own API keys
  format('noc_', 'noc_(?:ingest|ro|view)_[1-9A-HJ-NP-Za-km-z]{30,64}'),
  // our own webhook tokens
  format('tok_', 'tok_[1-9A-HJ-NP-Za-km-z]{40}'),
  // aws-access-token
  format(
    'akia|asia|abia|acca|a3t',
    '(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16,124}(?:["\']?[\\s:,;|/]{1,3}["\']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?',
  ),
  // github-pat, -oauth, -app-token, -refresh-token
  format('gh[pousr]_', 'gh[pousr]_[A-Za-z0-9_]{30,255}'),
  // github-fine-grained-pat
  format('github_pat_', 'github_pat_\\w{22,255}'),
  // gitlab-pat and its siblings
  format('gl[a-z]{2,5}-', 'gl(?:pat|ptt|dt|rt|rtr|cbt|soat|oas|imt|agent|ft|wt)-[\\w=.-]{16,255}'),
  // gitlab-rrt
  format('gr1348941', 'GR1348941[\\w-]{20,64}'),
  // stripe-access-token
  format('[sr]k_', '[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,255}'),
  // standardwebhooks.com; stripe.com/docs/webhooks
  format('whsec_', 'whsec_[A-Za-z0-9+/=]{16,128}'),
  // anthropic-api-key, openai-api-key
  format('sk-', 'sk-(?:ant|proj|svcacct|admin|or|lf)-[\\w-]{16,255}'),
  // openai-api-key
  format('sk-', 'sk-[A-Za-z0-9]{20,74}(?![A-Za-z0-9])'),
  // slack-bot-token and its siblings
  format('xox|xapp-', '(?:xox[a-z](?:\\.xox[a-z])?|xapp)-[A-Za-z0-9-]{8,512}'),
  // slack-webhook-url
  format('hooks\\.slack', 'hooks\\.slack\\.com/(?:services|workflows|triggers)/[\\w/+-]{20,128}'),
  // discord.com/developers: webhooks
  format('webhooks/', 'discord(?:app)?\\.com/api/webhooks/\\d{10,24}/[\\w-]{30,128}'),
  // microsoft-teams-webhook
  format('webhook\\.office', 'webhook\\.office\\.com/webhookb2/[\\w@/-]{36,255}'),
  // npm-access-token
  format('npm_', 'npm_[A-Za-z0-9]{30,64}'),
  // pypi-upload-token
  format('pypi-', 'pypi-[\\w-]{32,1000}'),
  // rubygems-api-token
  format('rubygems_', 'rubygems_[a-f0-9]{40,64}'),
  // gcp-api-key
  format('aiza', 'AIza[\\w-]{30,40}'),
  // cloud.google.com: OAuth tokens and client secrets
  format('ya29\\.|gocspx-', '(?:ya29\\.[\\w.-]{20,2048}|GOCSPX-[\\w-]{20,40})'),
  // sendgrid-api-token
  format('sg\\.', 'SG\\.[\\w=-]{16,32}\\.[\\w=-]{32,64}'),
  // digitalocean-pat, -access-token, -refresh-token
  format('_v1_', 'do[opr]_v1_[a-f0-9]{40,128}'),
  // huggingface-access-token
  format('hf_|api_org_', '(?:hf|api_org)_[A-Za-z]{30,64}'),
  // shopify-access-token and its siblings
  format('shp', 'shp[a-z]{2,3}_[A-Fa-f0-9]{32}'),
  // twilio-api-key
  format('sk[0-9a-f]{32}', 'SK[0-9a-fA-F]{32}(?![0-9a-fA-F])'),
  // mailgun-private-api-token
  format('key-', 'key-[a-f0-9]{32}'),
  // mailchimp-api-key
  format('-us\\d', '[a-f0-9]{32}-us\\d{1,2}'),
  // sendinblue-api-token
  format('xkeysib-|xsmtpsib-', 'x(?:keys|smtps)ib-[a-f0-9]{40,80}-[A-Za-z0-9]{8,32}'),
  // square-access-token
  format('sq0|eaaa', '(?:sq0[a-z]{3}-|EAAA)[\\w-]{22,64}'),
  // telegram-bot-api-token
  format('\\d:a', '(?:bot)?\\d{5,16}:A[\\w-]{34}'),
  // docs.docker.com: access tokens
  format('dckr_', 'dckr_(?:pat|oat)_[\\w-]{20,64}'),
  // databricks-api-token
  format('dapi[a-f0-9]{32}|dose[a-f0-9]{32}', '(?:dapi|dose)[a-f0-9]{32}(?:-\\d)?'),
  // grafana-cloud-api-token, -service-account-token
  format('glc_|glsa_', '(?:glc|glsa)_[\\w+/=]{30,400}'),
  // linear-api-key
  format('lin_', 'lin_(?:api|oauth)_[A-Za-z0-9]{32,64}'),
  // notion-api-token
  format('ntn_|secret_', '(?:ntn|secret)_[A-Za-z0-9]{40,64}'),
  // new-relic-user-api-key and its siblings
  format('nr[ajir][a-z]-', 'NR(?:AK|JS|II|IQ|RA|AA|AL)-[A-Za-z0-9-]{16,48}'),
  // new-relic: license keys
  format('nral', '[a-f0-9]{36,40}NRAL'),
  // pulumi-api-token
  format('pul-', 'pul-[a-f0-9]{40}'),
  // postman-api-token
  format('pmak-', 'PMAK-[A-Fa-f0-9]{24}-[A-Fa-f0-9]{34}'),
  // sentry-org-token, sentry-user-token
  format('sntry', 'sntry[su]_[\\w+/=-]{32,400}'),
  // hashicorp-tf-api-token
  format('atlasv1', '[A-Za-z0-9]{14}\\.atlasv1\\.[\\w=-]{60,70}'),
  // vault-service-token, vault-batch-token
  format('hv[sbr]\\.', 'hv[sbr]\\.[\\w-]{24,300}'),
  // doppler-api-token
  format('dp\\.', 'dp\\.(?:pt|st|ct|scim|audit)\\.[\\w.-]{32,80}'),
  // planetscale-api-token and its siblings
  format('pscale_', 'pscale_(?:tkn|pw|oauth)_[\\w=.-]{32,64}'),
  // flyio-access-token
  format('fo1_|fm\\d', '(?:fo1_[\\w-]{43}|fm[12][ar]?_[\\w+/=-]{80,800})'),
  // supabase.com/docs; netlify; neon; resend; render; groq; replicate; perplexity; xai
  format(
    'sb[ps]_|sb_secret|nfp_|napi_|re_|rnd_|gsk_|r8_|pplx-|xai-',
    '(?:sb[ps]_|sb_secret_|nfp_|napi_|re_[A-Za-z0-9]{8}_|rnd_|gsk_|r8_|pplx-|xai-)[A-Za-z0-9_]{20,255}',
  ),
  // azure-ad-client-secret
  format('q~', '[\\w~.-]{3}\\dQ~[\\w~.-]{31,34}'),
  // adobe-client-secret
  format('p8e-', 'p8e-[a-z0-9]{32}'),
  // aws-amazon-bedrock-api-key
  format('absk|bedrock-api', '(?:ABSK[A-Za-z0-9+/]{100,270}=*|bedrock-api-key-[A-Za-z0-9+/=]{20,400})'),
  // clickhouse-cloud-api-secret-key
  format('4b1d', '4b1d[A-Za-z0-9]{38}'),
  // clojars-api-token
  format('clojars_', 'CLOJARS_[a-z0-9]{60}'),
  // cloudflare-origin-ca-key
  format('v1\\.0-', 'v1\\.0-[a-f0-9]{24}-[a-f0-9]{146}'),
  // defined-networking-api-token
  format('dnkey-', 'dnkey-[\\w=-]{26}-[\\w=-]{52}'),
  // duffel-api-token
  format('duffel_', 'duffel_(?:test|live)_[\\w=-]{43}'),
  // easypost-api-token, -test-api-token
  format('ez[at]k', 'EZ[AT]K[A-Za-z0-9]{54}'),
  // facebook-page-access-token
  format('eaa', 'EAA[A-Z][A-Za-z0-9]{60,400}'),
  // flutterwave-secret-key
  format('flwseck', 'FLWSECK(?:_TEST)?-[A-Za-z0-9]{12,48}(?:-X)?'),
  // frameio-api-token
  format('fio-u-', 'fio-u-[\\w=-]{64}'),
  // grafana-api-key
  format('eyjrijoi', 'eyJrIjoi[A-Za-z0-9]{70,400}={0,3}'),
  // harness-api-key
  format('[ps]at\\.', '[ps]at\\.[\\w-]{22}\\.[A-Za-z0-9]{24}\\.[A-Za-z0-9]{20}'),
  // infracost-api-token
  format('ico-', 'ico-[A-Za-z0-9]{32}'),
  // intra42-client-secret
  format('s-s4t2', 's-s4t2(?:ud|af)-[a-f0-9]{64}'),
  // kubernetes-secret-yaml: a private key in base64
  format('ls0tls1crudjti', 'LS0tLS1CRUdJTi[A-Za-z0-9+/]{20,16000}={0,2}'),
  // maxmind-license-key
  format('_mmk', '[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk'),
  // nuget.org: API keys
  format('oy2', 'oy2[a-z0-9]{43}'),
  // octopus-deploy-api-key
  format('api-', 'API-[A-Z0-9]{26}'),
  // prefect-api-token
  format('pnu_', 'pnu_[A-Za-z0-9]{36}'),
  // readme-api-token
  format('rdme_', 'rdme_[a-z0-9]{70}'),
  // scalingo-api-token
  format('tk-us-', 'tk-us-[\\w-]{48}'),
  // settlemint-application-access-token and its siblings
  format('sm_', 'sm_(?:aat|pat|sat)_[A-Za-z0-9]{16}'),
  // shippo-api-token
  format('shippo_', 'shippo_(?:live|test)_[a-fA-F0-9]{40}'),
  // sourcegraph-access-token
  format('sgp_', 'sgp_(?:(?:[a-fA-F0-9]{16}|local)_)?[a-fA-F0-9]{40}'),
  // twitter-bearer-token
  format('aaaaaaaaaaaaaaaaaaaaaa', 'A{22}[A-Za-z0-9%]{80,100}'),
  // typeform-api-token
  format('tfp_', 'tfp_[\\w.=-]{59}'),
  // yandex-access-token, -aws-access-token
  format('t1\\.|yc', '(?:t1\\.[\\w-]{1,256}={0,2}\\.[\\w-]{86}|YC[\\w-]{38})'),
  // pagerduty.com, zapier.com, office.com: addresses that take messages
  format(
    'events\\.pagerduty|hooks\\.zapier|/incomingwebhook/',
    '(?:events(?:\\.eu)?\\.pagerduty\\.com/integration/\\w{32}|hooks\\.zapier\\.com/hooks/catch/[\\w/]{6,64}|[\\w@-]{36,128}/IncomingWebhook/[\\w/-]{32,128})',
  ),
  // age-secret-key
  format('age-secret-key-1', 'AGE-SECRET-KEY-1[0-9A-Z]{58}'),
  // atlassian-api-token, bitbucket
  format('atatt|atctt|atbb', '(?:ATATT3|ATCTT3|ATBB)[\\w=-]{20,255}'),
  // figma.com/developers; circleci; buildkite; sonarqube
  format('figd_|ccip|bk[uc][at]_|sq[apu]_', '(?:figd_|CCIPAT_|CCIPRJ_|bkua_|bkct_|sq[apu]_)[\\w-]{24,128}'),
  // dynatrace-api-token
  format('dt0[a-z]', 'dt0[a-z]\\d\\d\\.[A-Za-z0-9]{24}\\.[A-Za-z0-9]{64}'),
  // heroku-api-key-v2
  format('hrku-', 'HRKU-[\\w-]{36,80}'),
  // openshift-user-token
  format('sha256~', 'sha256~[\\w-]{43}'),
  // artifactory-api-key, -reference-token
  format('akcp|cmvmdg', '(?:AKCp[A-Za-z0-9]{60,80}|cmVmdG[A-Za-z0-9]{50,70})'),
  // tailscale.com/kb: keys
  format('tskey-', 'tskey-[a-z]{2,16}-[\\w-]{16,80}'),
  // 1password-service-account-token
  format('ops_eyj|a3-', '(?:ops_eyJ[\\w+/=]{100,2000}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{5,11}-){3,4}[A-Z0-9]{5})'),
  // airtable-personal-access-token
  format('pat[a-z0-9]{14}\\.', 'pat[A-Za-z0-9]{14}\\.[a-f0-9]{64}'),
  // alibaba-access-key-id; yandex
  format('ltai|aqvn', '(?:LTAI[A-Za-z0-9]{16,24}|AQVN[\\w-]{35,38})'),
  // launchdarkly.com/docs: SDK and API keys
  format('(?:sdk|api|mob)-[a-f0-9]{8}-', '(?:sdk|api|mob)-[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[a-f0-9]{4}-[a-f0-9]{12}'),
  // docs.aws.amazon.com: session tokens
  format('iqojb3jpz2lu|f[wq]ogzxivyxdz', '(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9+/%]{40,4096}={0,2}'),
  // developers.google.com: refresh tokens
  format('1//0', '1//0[\\w-]{30,255}'),
  // learn.microsoft.com: identifiable keys of Azure
  format(
    'jqqj9|azfu|\\+a[a-z]{2}|azdo|aiot|azse|azca',
    '(?<![\\w+/-])[A-Za-z0-9+/_-]{30,200}(?:JQQJ9|AzFu|\\+ASt|\\+ABa|\\+ACR|\\+AMC|\\+AEh|AZDO|AIoT|AzSe|AzCa)[A-Za-z0-9+/_-]{4,64}={0,2}',
  ),
  // atlassian.com: Bitbucket Data Center
  format('bbdc-', 'BBDC-[A-Za-z0-9+/]{30,64}'),
  // crates.io
  format('cio[a-z0-9]{32}', 'cio[A-Za-z0-9]{32}(?![A-Za-z0-9])'),
  // hashicorp: vault-legacy-token
  format('[sbr]\\.[a-z0-9]{24}', '[sbr]\\.(?=[a-z]{0,24}[A-Z0-9])[A-Za-z0-9]{24}(?![\\w.])'),
  // discord-api-token of bots
  format('[mno][\\w-]{23,28}\\.[\\w-]{6}\\.', '[MNO][\\w-]{23,28}\\.[\\w-]{6}\\.[\\w-]{27,40}'),
  // paypal.com, braintreepayments.com
  format('access_token\\$', 'access_token\\$(?:production|sandbox)\\$[0-9a-z]{16}\\$[0-9a-f]{32}'),
  // plaid-api-token
  format('access-', 'access-(?:sandbox|development|production)-[0-9a-f-]{36}'),
  // razorpay.com; mollie.com
  format('rzp_|(?:live|test)_[a-z0-9]{30}', '(?:rzp_(?:live|test)_[A-Za-z0-9]{14,24}|(?:live|test)_[A-Za-z0-9]{30,40}(?![A-Za-z0-9]))'),
  // docs.getunleash.io: API tokens
  format(':[\\w-]{1,64}\\.[a-f0-9]{56}', '[\\w*-]{1,64}:[\\w-]{1,64}\\.[a-f0-9]{56,64}(?![a-f0-9])'),
  // posthog; honeycomb; axiom; statsig; flagsmith
  format(
    'ph[cxs]_|hc[a-z]{2,3}k_|xa[ap]t-|secret-|ser\\.',
    '(?:ph[cxs]_[A-Za-z0-9]{30,64}|hc[a-z]{2,3}k_[A-Za-z0-9]{30,64}|xa[ap]t-[0-9a-f-]{36}|secret-[A-Za-z0-9]{40,64}|ser\\.[A-Za-z0-9]{22})',
  ),
  // vendors of models: fireworks, pinecone, langsmith, tavily, e2b, nvidia, cerebras, elevenlabs
  format(
    'fw_|pcsk_|lsv2_|tvly-|e2b_|nvapi-|csk-|sk_[a-f0-9]{48}',
    '(?:fw_[A-Za-z0-9]{22,64}|pcsk_\\w{30,128}|lsv2_(?:pt|sk)_\\w{32,64}|tvly-[\\w-]{20,64}|e2b_[a-f0-9]{40}|nvapi-[\\w-]{40,128}|csk-[a-z0-9]{40,64}|sk_[a-f0-9]{48})',
  ),
  // neon.tech: passwords; vercel.com: blob tokens
  format('npg_|vercel_blob', '(?:npg_[A-Za-z0-9]{10,32}|vercel_blob_rw_[A-Za-z0-9_]{20,80})'),
  // our own links to a verdict
  format('/verdicts/', '/verdicts/[\\w.~-]{40,512}'),
  // developer.okta.com: API tokens
  format('00[\\w-]{38}|ssws', '(?:00(?=[\\dA-Z_-]{0,40}[a-z])(?=[\\da-z_-]{0,40}[A-Z])[\\w-]{38,42}(?![\\w-])|(?<=SSWS )[\\w-]{20,64})'),
  // contentful-personal-access-token; docs.mapbox.com
  format('cfpat-|sk\\.eyj', '(?:CFPAT-[\\w-]{40,64}|sk\\.eyJ[\\w-]{20,256}\\.[\\w-]{16,64})'),
  // crypt(5), RFC 2307: passwords that can be tried at leisure
  format(
    '\\$[1256y]\\$|\\$2[abxy]\\$|\\$argon2|\\$pbkdf2|\\{s?(?:sha|md5)',
    '(?:\\$(?:[1256y]|2[abxy]|argon2\\w{0,2}|pbkdf2[\\w-]{0,12})\\$[^\\s:"\'|;]{12,512}|\\{S?(?:SHA\\d{0,3}|MD5)\\}[\\w+/=]{16,128})',
  ),
  // jwt: RFC 7515 and RFC 7516
  format('eyj', '(?:(?<![\\w-])|(?<=%[0-9A-Fa-f]{2}))eyJ[\\w-]{8,}\\.[\\w-]*(?:\\.[\\w-]*){1,3}'),
  // RFC 6750
  format('bearer', '(?<=[Bb]earer(?: |%20|\\+){1,4})(?=[A-Za-z._~+/-]{0,255}\\d|\\S{20})[\\w.~+/-]{8,}=*'),
]

/** A private key (RFC 7468) to its last line; one that is cut loses all that follows. */
export const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----END))*(?:-----END[A-Z0-9 ]{0,60}-----)?|(?<=Private-Lines: \d{1,3}\s{1,2})[A-Za-z0-9+/=\s]+/g

/** Not within another word; a percent-encoded character before it is none. */
const START = '(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))'

/** The beginning of one of them where a text is cut. */
const CUT =
  '(?:A[KS]IA|gh[pousr]_|github_pat_|glpat-|[sr]k_(?:live|test)_|sk-(?:ant|proj)-|xox[a-z]-|xapp-|npm_|hv[sb]\\.|SG\\.|whsec_|noc_(?:ingest|ro|view)_)[\\w.-]{4,64}(?=["\')\\]}]{0,4}$|…)'

/** All of them at once. Every quantifier is bounded, or begins where a run of its characters does: time grows as the text does. */
export const SECRET_FORM = new RegExp(`${START}(?:${SECRET_FORMATS.map(({ form }) => form).join('|')}|${CUT})`, 'g')

/** What a text must hold to hold one of these, as an expression that ignores case. */
export const SECRET_MARKS = SECRET_FORMATS.map(({ mark }) => mark).join('|')
