/** A secret that its own form gives away. Both texts are expressions; the mark, which every such secret holds, ignores case. */
type SecretFormat = { readonly source: string; readonly mark: string; readonly form: string }

/** `source` says who documents the form: a rule of gitleaks, unless it names something else. */
const format = (source: string, mark: string, form: string): SecretFormat => ({ source, mark, form })

/**
 * Secrets by their form. The forms are those of gitleaks 8 (named by its rules) or of the issuer's documentation; ours are
 * wider where a part of a secret would otherwise stay.
 */
const SECRET_FORMATS: readonly SecretFormat[] = [
  format('our own API keys', 'noc_', 'noc_(?:ingest|ro|view)_[1-9A-HJ-NP-Za-km-z]{30,64}'),
  format('our own webhook tokens', 'tok_', 'tok_[1-9A-HJ-NP-Za-km-z]{40}'),
  format(
    'aws-access-token',
    'akia|asia|abia|acca|a3t',
    '(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16,124}(?:["\']?[\\s:,;|/]{1,3}["\']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?',
  ),
  format('github-pat, -oauth, -app-token, -refresh-token', 'gh[pousr]_', 'gh[pousr]_[A-Za-z0-9_]{30,255}'),
  format('github-fine-grained-pat', 'github_pat_', 'github_pat_\\w{22,255}'),
  format('gitlab-pat and its siblings', 'gl[a-z]{2,5}-', 'gl(?:pat|ptt|dt|rt|rtr|cbt|soat|oas|imt|agent|ft|wt)-[\\w=.-]{16,255}'),
  format('gitlab-rrt', 'gr1348941', 'GR1348941[\\w-]{20,64}'),
  format('stripe-access-token', '[sr]k_', '[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,255}'),
  format('standardwebhooks.com; stripe.com/docs/webhooks', 'whsec_', 'whsec_[A-Za-z0-9+/=]{16,128}'),
  format('anthropic-api-key, openai-api-key', 'sk-', 'sk-(?:ant|proj|svcacct|admin|or|lf)-[\\w-]{16,255}'),
  format('openai-api-key', 'sk-', 'sk-[A-Za-z0-9]{20,74}(?![A-Za-z0-9])'),
  format('slack-bot-token and its siblings', 'xox|xapp-', '(?:xox[a-z](?:\\.xox[a-z])?|xapp)-[A-Za-z0-9-]{8,512}'),
  format('slack-webhook-url', 'hooks\\.slack', 'hooks\\.slack\\.com/(?:services|workflows|triggers)/[\\w/+-]{20,128}'),
  format('discord.com/developers: webhooks', 'webhooks/', 'discord(?:app)?\\.com/api/webhooks/\\d{10,24}/[\\w-]{30,128}'),
  format('microsoft-teams-webhook', 'webhook\\.office', 'webhook\\.office\\.com/webhookb2/[\\w@/-]{36,255}'),
  format('npm-access-token', 'npm_', 'npm_[A-Za-z0-9]{30,64}'),
  format('pypi-upload-token', 'pypi-', 'pypi-[\\w-]{32,1000}'),
  format('rubygems-api-token', 'rubygems_', 'rubygems_[a-f0-9]{40,64}'),
  format('gcp-api-key', 'aiza', 'AIza[\\w-]{30,40}'),
  format('cloud.google.com: OAuth tokens and client secrets', 'ya29\\.|gocspx-', '(?:ya29\\.[\\w.-]{20,2048}|GOCSPX-[\\w-]{20,40})'),
  format('sendgrid-api-token', 'sg\\.', 'SG\\.[\\w=-]{16,32}\\.[\\w=-]{32,64}'),
  format('digitalocean-pat, -access-token, -refresh-token', '_v1_', 'do[opr]_v1_[a-f0-9]{40,128}'),
  format('huggingface-access-token', 'hf_|api_org_', '(?:hf|api_org)_[A-Za-z]{30,64}'),
  format('shopify-access-token and its siblings', 'shp', 'shp[a-z]{2,3}_[A-Fa-f0-9]{32}'),
  format('twilio-api-key', 'sk[0-9a-f]{32}', 'SK[0-9a-fA-F]{32}(?![0-9a-fA-F])'),
  format('mailgun-private-api-token', 'key-', 'key-[a-f0-9]{32}'),
  format('mailchimp-api-key', '-us\\d', '[a-f0-9]{32}-us\\d{1,2}'),
  format('sendinblue-api-token', 'xkeysib-|xsmtpsib-', 'x(?:keys|smtps)ib-[a-f0-9]{40,80}-[A-Za-z0-9]{8,32}'),
  format('square-access-token', 'sq0|eaaa', '(?:sq0[a-z]{3}-|EAAA)[\\w-]{22,64}'),
  format('telegram-bot-api-token', '\\d:a', '(?:bot)?\\d{5,16}:A[\\w-]{34}'),
  format('docs.docker.com: access tokens', 'dckr_', 'dckr_(?:pat|oat)_[\\w-]{20,64}'),
  format('databricks-api-token', 'dapi[a-f0-9]{32}|dose[a-f0-9]{32}', '(?:dapi|dose)[a-f0-9]{32}(?:-\\d)?'),
  format('grafana-cloud-api-token, -service-account-token', 'glc_|glsa_', '(?:glc|glsa)_[\\w+/=]{30,400}'),
  format('linear-api-key', 'lin_', 'lin_(?:api|oauth)_[A-Za-z0-9]{32,64}'),
  format('notion-api-token', 'ntn_|secret_', '(?:ntn|secret)_[A-Za-z0-9]{40,64}'),
  format('new-relic-user-api-key and its siblings', 'nr[ajir][a-z]-', 'NR(?:AK|JS|II|IQ|RA|AA|AL)-[A-Za-z0-9-]{16,48}'),
  format('new-relic: license keys', 'nral', '[a-f0-9]{36,40}NRAL'),
  format('pulumi-api-token', 'pul-', 'pul-[a-f0-9]{40}'),
  format('postman-api-token', 'pmak-', 'PMAK-[A-Fa-f0-9]{24}-[A-Fa-f0-9]{34}'),
  format('sentry-org-token, sentry-user-token', 'sntry', 'sntry[su]_[\\w+/=-]{32,400}'),
  format('hashicorp-tf-api-token', 'atlasv1', '[A-Za-z0-9]{14}\\.atlasv1\\.[\\w=-]{60,70}'),
  format('vault-service-token, vault-batch-token', 'hv[sbr]\\.', 'hv[sbr]\\.[\\w-]{24,300}'),
  format('doppler-api-token', 'dp\\.', 'dp\\.(?:pt|st|ct|scim|audit)\\.[\\w.-]{32,80}'),
  format('planetscale-api-token and its siblings', 'pscale_', 'pscale_(?:tkn|pw|oauth)_[\\w=.-]{32,64}'),
  format('flyio-access-token', 'fo1_|fm\\d', '(?:fo1_[\\w-]{43}|fm[12][ar]?_[\\w+/=-]{80,800})'),
  format(
    'supabase.com/docs; netlify; neon; resend; render; groq; replicate; perplexity; xai',
    'sb[ps]_|sb_secret|nfp_|napi_|re_|rnd_|gsk_|r8_|pplx-|xai-',
    '(?:sb[ps]_|sb_secret_|nfp_|napi_|re_[A-Za-z0-9]{8}_|rnd_|gsk_|r8_|pplx-|xai-)[A-Za-z0-9_]{20,255}',
  ),
  format('azure-ad-client-secret', 'q~', '[\\w~.-]{3}\\dQ~[\\w~.-]{31,34}'),
  format('adobe-client-secret', 'p8e-', 'p8e-[a-z0-9]{32}'),
  format('aws-amazon-bedrock-api-key', 'absk|bedrock-api', '(?:ABSK[A-Za-z0-9+/]{100,270}=*|bedrock-api-key-[A-Za-z0-9+/=]{20,400})'),
  format('clickhouse-cloud-api-secret-key', '4b1d', '4b1d[A-Za-z0-9]{38}'),
  format('clojars-api-token', 'clojars_', 'CLOJARS_[a-z0-9]{60}'),
  format('cloudflare-origin-ca-key', 'v1\\.0-', 'v1\\.0-[a-f0-9]{24}-[a-f0-9]{146}'),
  format('defined-networking-api-token', 'dnkey-', 'dnkey-[\\w=-]{26}-[\\w=-]{52}'),
  format('duffel-api-token', 'duffel_', 'duffel_(?:test|live)_[\\w=-]{43}'),
  format('easypost-api-token, -test-api-token', 'ez[at]k', 'EZ[AT]K[A-Za-z0-9]{54}'),
  format('facebook-page-access-token', 'eaa', 'EAA[A-Z][A-Za-z0-9]{60,400}'),
  format('flutterwave-secret-key', 'flwseck', 'FLWSECK(?:_TEST)?-[A-Za-z0-9]{12,48}(?:-X)?'),
  format('frameio-api-token', 'fio-u-', 'fio-u-[\\w=-]{64}'),
  format('grafana-api-key', 'eyjrijoi', 'eyJrIjoi[A-Za-z0-9]{70,400}={0,3}'),
  format('harness-api-key', '[ps]at\\.', '[ps]at\\.[\\w-]{22}\\.[A-Za-z0-9]{24}\\.[A-Za-z0-9]{20}'),
  format('infracost-api-token', 'ico-', 'ico-[A-Za-z0-9]{32}'),
  format('intra42-client-secret', 's-s4t2', 's-s4t2(?:ud|af)-[a-f0-9]{64}'),
  format('kubernetes-secret-yaml: a private key in base64', 'ls0tls1crudjti', 'LS0tLS1CRUdJTi[A-Za-z0-9+/]{20,16000}={0,2}'),
  format('maxmind-license-key', '_mmk', '[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk'),
  format('nuget.org: API keys', 'oy2', 'oy2[a-z0-9]{43}'),
  format('octopus-deploy-api-key', 'api-', 'API-[A-Z0-9]{26}'),
  format('prefect-api-token', 'pnu_', 'pnu_[A-Za-z0-9]{36}'),
  format('readme-api-token', 'rdme_', 'rdme_[a-z0-9]{70}'),
  format('scalingo-api-token', 'tk-us-', 'tk-us-[\\w-]{48}'),
  format('settlemint-application-access-token and its siblings', 'sm_', 'sm_(?:aat|pat|sat)_[A-Za-z0-9]{16}'),
  format('shippo-api-token', 'shippo_', 'shippo_(?:live|test)_[a-fA-F0-9]{40}'),
  format('sourcegraph-access-token', 'sgp_', 'sgp_(?:(?:[a-fA-F0-9]{16}|local)_)?[a-fA-F0-9]{40}'),
  format('twitter-bearer-token', 'aaaaaaaaaaaaaaaaaaaaaa', 'A{22}[A-Za-z0-9%]{80,100}'),
  format('typeform-api-token', 'tfp_', 'tfp_[\\w.=-]{59}'),
  format('yandex-access-token, -aws-access-token', 't1\\.|yc', '(?:t1\\.[\\w-]{1,256}={0,2}\\.[\\w-]{86}|YC[\\w-]{38})'),
  format(
    'pagerduty.com, zapier.com, office.com: addresses that take messages',
    'events\\.pagerduty|hooks\\.zapier|/incomingwebhook/',
    '(?:events(?:\\.eu)?\\.pagerduty\\.com/integration/\\w{32}|hooks\\.zapier\\.com/hooks/catch/[\\w/]{6,64}|[\\w@-]{36,128}/IncomingWebhook/[\\w/-]{32,128})',
  ),
  format('age-secret-key', 'age-secret-key-1', 'AGE-SECRET-KEY-1[0-9A-Z]{58}'),
  format('atlassian-api-token, bitbucket', 'atatt|atctt|atbb', '(?:ATATT3|ATCTT3|ATBB)[\\w=-]{20,255}'),
  format(
    'figma.com/developers; circleci; buildkite; sonarqube',
    'figd_|ccip|bk[uc][at]_|sq[apu]_',
    '(?:figd_|CCIPAT_|CCIPRJ_|bkua_|bkct_|sq[apu]_)[\\w-]{24,128}',
  ),
  format('dynatrace-api-token', 'dt0[a-z]', 'dt0[a-z]\\d\\d\\.[A-Za-z0-9]{24}\\.[A-Za-z0-9]{64}'),
  format('heroku-api-key-v2', 'hrku-', 'HRKU-[\\w-]{36,80}'),
  format('openshift-user-token', 'sha256~', 'sha256~[\\w-]{43}'),
  format('artifactory-api-key, -reference-token', 'akcp|cmvmdg', '(?:AKCp[A-Za-z0-9]{60,80}|cmVmdG[A-Za-z0-9]{50,70})'),
  format('tailscale.com/kb: keys', 'tskey-', 'tskey-[a-z]{2,16}-[\\w-]{16,80}'),
  format(
    '1password-service-account-token',
    'ops_eyj|a3-',
    '(?:ops_eyJ[\\w+/=]{100,2000}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{5,11}-){3,4}[A-Z0-9]{5})',
  ),
  format('airtable-personal-access-token', 'pat[a-z0-9]{14}\\.', 'pat[A-Za-z0-9]{14}\\.[a-f0-9]{64}'),
  format('alibaba-access-key-id; yandex', 'ltai|aqvn', '(?:LTAI[A-Za-z0-9]{16,24}|AQVN[\\w-]{35,38})'),
  format(
    'launchdarkly.com/docs: SDK and API keys',
    '(?:sdk|api|mob)-[a-f0-9]{8}-',
    '(?:sdk|api|mob)-[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[a-f0-9]{4}-[a-f0-9]{12}',
  ),
  format(
    'docs.aws.amazon.com: session tokens',
    'iqojb3jpz2lu|f[wq]ogzxivyxdz',
    '(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9+/%]{40,4096}={0,2}',
  ),
  format('developers.google.com: refresh tokens', '1//0', '1//0[\\w-]{30,255}'),
  format(
    'learn.microsoft.com: identifiable keys of Azure',
    'jqqj9|azfu|\\+a[a-z]{2}|azdo|aiot|azse|azca',
    '(?<![\\w+/-])[A-Za-z0-9+/_-]{30,200}(?:JQQJ9|AzFu|\\+ASt|\\+ABa|\\+ACR|\\+AMC|\\+AEh|AZDO|AIoT|AzSe|AzCa)[A-Za-z0-9+/_-]{4,64}={0,2}',
  ),
  format('atlassian.com: Bitbucket Data Center', 'bbdc-', 'BBDC-[A-Za-z0-9+/]{30,64}'),
  format('crates.io', 'cio[a-z0-9]{32}', 'cio[A-Za-z0-9]{32}(?![A-Za-z0-9])'),
  format('hashicorp: vault-legacy-token', '[sbr]\\.[a-z0-9]{24}', '[sbr]\\.(?=[a-z]{0,24}[A-Z0-9])[A-Za-z0-9]{24}(?![\\w.])'),
  format('discord-api-token of bots', '[mno][\\w-]{23,28}\\.[\\w-]{6}\\.', '[MNO][\\w-]{23,28}\\.[\\w-]{6}\\.[\\w-]{27,40}'),
  format('paypal.com, braintreepayments.com', 'access_token\\$', 'access_token\\$(?:production|sandbox)\\$[0-9a-z]{16}\\$[0-9a-f]{32}'),
  format('plaid-api-token', 'access-', 'access-(?:sandbox|development|production)-[0-9a-f-]{36}'),
  format(
    'razorpay.com; mollie.com',
    'rzp_|(?:live|test)_[a-z0-9]{30}',
    '(?:rzp_(?:live|test)_[A-Za-z0-9]{14,24}|(?:live|test)_[A-Za-z0-9]{30,40}(?![A-Za-z0-9]))',
  ),
  format('docs.getunleash.io: API tokens', ':[\\w-]{1,64}\\.[a-f0-9]{56}', '[\\w*-]{1,64}:[\\w-]{1,64}\\.[a-f0-9]{56,64}(?![a-f0-9])'),
  format(
    'posthog; honeycomb; axiom; statsig; flagsmith',
    'ph[cxs]_|hc[a-z]{2,3}k_|xa[ap]t-|secret-|ser\\.',
    '(?:ph[cxs]_[A-Za-z0-9]{30,64}|hc[a-z]{2,3}k_[A-Za-z0-9]{30,64}|xa[ap]t-[0-9a-f-]{36}|secret-[A-Za-z0-9]{40,64}|ser\\.[A-Za-z0-9]{22})',
  ),
  format(
    'vendors of models: fireworks, pinecone, langsmith, tavily, e2b, nvidia, cerebras, elevenlabs',
    'fw_|pcsk_|lsv2_|tvly-|e2b_|nvapi-|csk-|sk_[a-f0-9]{48}',
    '(?:fw_[A-Za-z0-9]{22,64}|pcsk_\\w{30,128}|lsv2_(?:pt|sk)_\\w{32,64}|tvly-[\\w-]{20,64}|e2b_[a-f0-9]{40}|nvapi-[\\w-]{40,128}|csk-[a-z0-9]{40,64}|sk_[a-f0-9]{48})',
  ),
  format(
    'neon.tech: passwords; vercel.com: blob tokens',
    'npg_|vercel_blob',
    '(?:npg_[A-Za-z0-9]{10,32}|vercel_blob_rw_[A-Za-z0-9_]{20,80})',
  ),
  format('our own links to a verdict', '/verdicts/', '/verdicts/[\\w.~-]{40,512}'),
  format('jwt: RFC 7515 and RFC 7516', 'eyj', '(?:(?<![\\w-])|(?<=%[0-9A-Fa-f]{2}))eyJ[\\w-]{8,}\\.[\\w-]*(?:\\.[\\w-]*){1,3}'),
  format('RFC 6750', 'bearer', '(?<=[Bb]earer(?: |%20|\\+){1,4})(?=[A-Za-z._~+/-]{0,255}\\d|\\S{20})[\\w.~+/-]{8,}=*'),
]

/** A private key (RFC 7468) to its last line; one that is cut loses all that follows. */
export const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----END))*(?:-----END[A-Z0-9 ]{0,60}-----)?|(?<=Private-Lines: \d{1,3}\s{1,2})[A-Za-z0-9+/=\s]+/g

/** Not within another word; a percent-encoded character before it is none. */
const START = '(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))'

/** All of them at once. Every quantifier is bounded, or begins where a run of its characters does: time grows as the text does. */
export const SECRET_FORM = new RegExp(`${START}(?:${SECRET_FORMATS.map(({ form }) => form).join('|')})`, 'g')

/** What a text must hold to hold one of these, as an expression that ignores case. */
export const SECRET_MARKS = SECRET_FORMATS.map(({ mark }) => mark).join('|')
