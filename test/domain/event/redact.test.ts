import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createKey } from '../../../src/domain/access/api-key.ts'
import { findOwnKeys, isRedacted, maskActor, REDACTED, redactEvent, redactText } from '../../../src/domain/event/redact.ts'

// Put together here, so that no scanner takes this file for a leak.
const join = (...parts: readonly string[]) => parts.join('')
const of = (alphabet: string, min: number, max = min) =>
  fc.array(fc.constantFrom(...alphabet), { minLength: min, maxLength: max }).map((all) => all.join(''))
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
const WORD = `${LETTERS}0123456789`
const HEX = '0123456789abcdef'
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Secrets that their form alone gives away. */
const FORMED: Readonly<Record<string, fc.Arbitrary<string>>> = {
  aws: of(UPPER, 16).map((rest) => join('AK', 'IA', rest)),
  awsSession: of(UPPER, 16).map((rest) => join('AS', 'IA', rest)),
  github: fc.tuple(fc.constantFrom('p', 'o', 'u', 's', 'r'), of(WORD, 36)).map(([kind, rest]) => join('gh', kind, '_', rest)),
  githubFine: of(WORD, 82).map((rest) => join('github', '_pat_', rest)),
  gitlab: of(WORD, 20).map((rest) => join('gl', 'pat-', rest)),
  stripe: fc.tuple(fc.constantFrom('sk', 'rk'), of(WORD, 24, 99)).map(([kind, rest]) => join(kind, '_live_', rest)),
  anthropic: of(WORD, 95).map((rest) => join('sk-', 'ant-', 'api03-', rest)),
  openai: of(WORD, 48).map((rest) => join('sk-', 'proj-', rest)),
  slack: fc
    .tuple(fc.constantFrom('b', 'p', 'a', 'r', 's', 'o'), of('0123456789', 12), of(WORD, 24))
    .map(([kind, id, rest]) => join('xo', 'x', kind, '-', id, '-', rest)),
  slackApp: of(WORD, 64).map((rest) => join('xa', 'pp-1-', rest)),
  npm: of(WORD, 36).map((rest) => join('np', 'm_', rest)),
  pypi: of(WORD, 60).map((rest) => join('py', 'pi-', rest)),
  google: of(WORD, 35).map((rest) => join('AI', 'za', rest)),
  sendgrid: fc.tuple(of(WORD, 22), of(WORD, 43)).map(([a, b]) => join('S', 'G.', a, '.', b)),
  digitalocean: of(HEX, 64).map((rest) => join('do', 'p_v1_', rest)),
  huggingface: of(LETTERS, 34).map((rest) => join('h', 'f_', rest)),
  shopify: of(HEX, 32).map((rest) => join('shp', 'at_', rest)),
  vault: of(WORD, 90).map((rest) => join('hv', 's.', rest)),
  jwt: fc
    .tuple(of(WORD, 20, 40), of(WORD, 20, 80), of(WORD, 43))
    .map((parts) => join('ey', 'J', parts[0], '.', 'eyJ', parts[1], '.', parts[2])),
  own: fc
    .uint8Array({ minLength: 256, maxLength: 256 })
    .map((bytes) => createKey('ingest', (length) => Uint8Array.from({ length }, (_, at) => (bytes[at % 256] ?? 0) % 232))),
}

const carriersOfAny: readonly ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => `rollout failed: ${secret}`,
  (secret) => `(${secret})`,
  (secret) => `"${secret}",`,
  (secret) => `x=${secret}&y=1`,
  (secret) => `https://example.test/cb?code=${secret}#top`,
  (secret) => `Bearer%20${secret}`,
  (secret) => `${secret}.`,
  (secret) => `first\n${secret}\nlast`,
  (secret) => `{"note":"${secret}"}`,
  (secret) => `Authorization: Bearer ${secret}`,
]

test.each(Object.entries(FORMED))('a secret of the form of %s survives in no carrier', (_, secrets) => {
  fc.assert(
    fc.property(secrets, fc.constantFrom(...carriersOfAny), (secret, carry) => {
      const text = redactText(carry(secret))
      expect(text).toContain(REDACTED)
      expect(text).not.toContain(secret.slice(-8))
    }),
    { numRuns: 60 },
  )
})

const NAMES = [
  'password',
  'DB_PASSWORD',
  'PGPASSWORD',
  'db.password',
  'clientSecret',
  'client_secret',
  'AWS_SECRET_ACCESS_KEY',
  'api_key',
  'apiKey',
  'X-Api-Key',
  'auth_token',
  'GITHUB_TOKEN',
  'secret_key_base',
  'passphrase',
  'private_key',
  'accessToken',
  'Passwd',
  'AccountKey',
  'authorization',
  'password1',
  'new_password_2',
  'smtp_pass',
  'ansible_ssh_pass',
  'storepass',
  'db_creds',
  'PHPSESSID',
  'connectionStrings',
] as const

const carriersOfNamed: readonly ((name: string, secret: string) => string)[] = [
  (name, secret) => `${name}=${secret}`,
  (name, secret) => `${name} = ${secret}`,
  (name, secret) => `${name}: ${secret}`,
  (name, secret) => `${name}:${secret}`,
  (name, secret) => `"${name}": "${secret}"`,
  (name, secret) => JSON.stringify({ a: 1, [name]: secret, z: 'kept' }),
  (name, secret) => JSON.stringify({ body: JSON.stringify({ [name]: secret }) }),
  (name, secret) => JSON.stringify({ body: JSON.stringify({ inner: JSON.stringify({ [name]: secret }) }) }),
  (name, secret) => `{'${name}': '${secret}'}`,
  (name, secret) => `env:\n  ${name}: "${secret}"\n  LOG: debug`,
  (name, secret) => `host=db ${name}='${secret}' port=5432`,
  (name, secret) => `https://example.test/?${name}=${secret}&page=2`,
  (name, secret) => `${name}%3D${secret}%26page%3D2`,
  (name, secret) => `Server=db;${name}=${secret};Database=shop`,
  (name, secret) => `run --${name} ${secret} --verbose`,
  (name, secret) => `run --${name}=${secret}`,
  (name, secret) => `<${name}>${secret}</${name}>`,
  (name, secret) => `:${name} => "${secret}"`,
  (name, secret) => `- name: ${name}\n  value: ${secret}`,
  (name, secret) => `{"name":"${name}","value":"${secret}"}`,
  (name, secret) => `${name}: |\n  ${secret}`,
  (name, secret) => `export ${name}="${secret}"; ./run`,
  (name, secret) => `config["${name}"] = "${secret}"`,
  (name, secret) => `${name}: >-\n  first line\n  ${secret}\nhost: db`,
  (name, secret) => `db:\n  ${name}:\n    "${secret}"\n  host: db`,
  (name, secret) => `${name}:\n  value: ${secret}\nhost: db`,
  (name, secret) => `${name}: !!str ${secret}`,
  (name, secret) => `{"${name}":{"id":7,"value":"${secret}"}}`,
  (name, secret) => `{"value":"${secret}","name":"${name}"}`,
  (name, secret) => `- value: ${secret}\n  name: ${name}`,
  (name, secret) => `<add value="${secret}" key="${name}"/>`,
  (name, secret) => `<key>${name}</key>\n\t<string>${secret}</string>`,
  (name, secret) => `["${name}"]=> string(10) "${secret}"`,
  (name, secret) => `INSERT INTO "users" ("name", "${name}") VALUES ('bob', '${secret}'), ('eve', '${secret}')`,
  (name, secret) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${secret}\r\n--x`,
]

test('a value that is named a secret survives in no carrier', () => {
  const secrets = of(`${WORD}-_.!+/$~^*`, 8, 40).filter((text) => /^[A-Za-z0-9]/.test(text) && /[A-Za-z0-9]$/.test(text))
  fc.assert(
    fc.property(fc.constantFrom(...NAMES), secrets, fc.constantFrom(...carriersOfNamed), (name, secret, carry) => {
      const text = redactText(carry(name, secret))
      expect(text).not.toContain(secret)
      expect(text).not.toContain(secret.slice(0, 6))
      expect(text).not.toContain(secret.slice(-6))
    }),
    { numRuns: 600 },
  )
})

/** What neither its form nor its length gives away. */
const PLAIN = 'Xq7RtP9zLm2Kd8Wv'

test.each([
  ['a header’s credentials', 'Authorization: Basic dXNlcjpwYXNz', 'dXNlcjpwYXNz'],
  ['a header with parameters', 'Authorization: Digest username="u", response="6629fae49393a053"', '6629fae49393a053'],
  ['a cookie', 'Cookie: theme=dark; sid=31d4d96e407aad42', '31d4d96e407aad42'],
  ['curl’s header', `curl -H 'Authorization: Bearer abc.def-123' https://example.test/`, 'abc.def-123'],
  ['a bearer of no name', 'sent Bearer mF_9.B5f-4.1JqM to the host', 'mF_9.B5f'],
  ['a database’s address', 'postgres://shop:pa:ss@w0rd@db.example.test:5432/shop', 'w0rd'],
  ['an address without a user', 'redis://:hunter2@cache:6379', 'hunter2'],
  ['a slash in a password', 'amqp://u:p/w?x#y@mq:5672/', 'p/w?x'],
  ['Go’s MySQL', 'root:hunter2@tcp(127.0.0.1:3306)/shop', 'hunter2'],
  ['SQL', `ALTER USER shop PASSWORD 'hunter2'`, 'hunter2'],
  ['MySQL', `CREATE USER 'a'@'%' IDENTIFIED BY 'hunter2'`, 'hunter2'],
  ['a short secret', 'password=abc', 'abc'],
  ['a cut quote', 'password: "correct horse batt', 'horse'],
  ['a private key', '-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\nafter', 'MIIEow'],
  ['a cut private key', 'key: -----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNz', 'b3BlbnNz'],
  ['a card number', 'declined for 4111 1111 1111 1111 today', '1111 1111'],
  ['a card number without blanks', 'card 5555555555554444 declined', '5555'],
  ['an Amex number', 'pan=378282246310005;', '378282246310005'],
  ['curl’s user', `curl -u admin:${PLAIN} https://x.example`, PLAIN],
  ['a database client’s flag', `mysql -u root -p${PLAIN} shop`, PLAIN],
  ['a cache’s flag', `redis-cli -h cache -a ${PLAIN} ping`, PLAIN],
  ['a helper’s flag', `sshpass -p '${PLAIN}' ssh web-1`, PLAIN],
  ['a netrc', `machine db.example login bob password ${PLAIN}`, PLAIN],
  [
    'a private key in base64',
    `tls.key: ${btoa(`${join('-----BEGIN RSA PRI', 'VATE KEY-----')}\nMIIEpAIBAAKCAQEA${PLAIN}`)}`,
    btoa(PLAIN).slice(4, 12),
  ],
  ['JSON’s escapes', `password\\u003d${PLAIN}`, PLAIN],
  ['escaped quotes', `{\\u0022password\\u0022:\\u0022${PLAIN}\\u0022}`, PLAIN],
  ['entities', `password&#61;${PLAIN} token&#x3D;${PLAIN} secret&equals;${PLAIN}`, PLAIN],
  ['what was encoded twice', `password%253D${PLAIN}`, PLAIN],
  ['a private key, encoded', `${join('-----BEGIN%20RSA%20PRI', 'VATE%20KEY-----')}%0A${PLAIN}%0A`, PLAIN],
  ['a name that nobody sees whole', `pa\u200bss\u00adword=${PLAIN}`, PLAIN],
  ['a name in full width', `ｐａｓｓｗｏｒｄ＝${PLAIN}`, PLAIN],
  ['names in other languages', `Kennwort: ${PLAIN} senha=${PLAIN} пароль: ${PLAIN} 密码：${PLAIN}`, PLAIN],
  ['an entry of XML', `<entry key="db.password">${PLAIN}</entry>`, PLAIN],
  ['a plan of Terraform', `~ password = "old-${PLAIN}" -> "${PLAIN}"`, PLAIN],
  ['a list', `tokens: ["a", "${PLAIN}"]`, PLAIN],
  ['a header’s list', `{"cookie":["sid=${PLAIN}"]}`, PLAIN],
  ['a row', `| password | ${PLAIN} |`, PLAIN],
  ['a tuple', `("password", "${PLAIN}")`, PLAIN],
  ['settings of Redis', `requirepass ${PLAIN}`, PLAIN],
  ['a login of Redis', `AUTH default ${PLAIN}`, PLAIN],
  ['SQL in double quotes', `ALTER USER x IDENTIFIED BY "${PLAIN}"`, PLAIN],
  ['a function of SQL', `SET PASSWORD FOR 'u'@'h' = PASSWORD('${PLAIN}')`, PLAIN],
  ['a text of Postgres', `ALTER ROLE x ENCRYPTED PASSWORD $$${PLAIN}$$`, PLAIN],
  ['words', `the password is now ${PLAIN}`, PLAIN],
  ['a password in words', 'password hunter2 rejected', 'hunter2'],
  ['a key in words', `encryption key ${PLAIN}`, PLAIN],
  ['a text of Python', `password = """${PLAIN}"""`, PLAIN],
  ['both halves of a pair of AWS', `${join('AK', 'IAQ3EGT7PLMZX5RWYN')}:${'aB3/'.repeat(10)}`, 'aB3/aB3/aB3'],
  ['an account of Oracle', `jdbc:oracle:thin:bob/${PLAIN}@db:1521:shop`, PLAIN],
  ['a bot’s address', `https://api.telegram.org/bot12345678:A${'aB3d'.repeat(9).slice(0, 34)}/sendMessage`, 'aB3daB3d'],
  ['a routing key', `routing_key=${'0a1b'.repeat(8)}`, '0a1b0a1b'],
  ['a key of Grafana', `${join('eyJr', 'Ijoi')}${'aB3'.repeat(30)}`, 'aB3aB3'],
  ['a card in groups of another blank', '4111\u00a01111\u00a01111\u00a01111 was declined', '1111'],
  ['an address in entities', 'bob.smith&#64;example.com', 'bob.smith'],
  ['an address', 'owner is jane.doe@example.com now', 'jane'],
  ['an encoded address', 'user=jane.doe%40example.com', 'jane'],
  ['a foreign address', 'für jörg@müller.example', 'jörg'],
  ['a Slack webhook', join('https://hooks.slack', '.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX'), 'XXXXXX'],
  ['a value in braces', `Server=db;Uid=sa;Pwd={p;q@${PLAIN}};`, PLAIN],
  ['both of a change', 'password changed from "correct horse" to "battery staple"', 'battery'],
  ['a word that is said to be one', `the password is "correct horse"`, 'horse'],
  ['whose it is', `password for user 'bob' is 'correct horse'`, 'horse'],
  ['a key that was provided', `Incorrect API key provided: ${PLAIN}.`, PLAIN],
  ['a name of two words', 'Invalid API key: swordfish', 'swordfish'],
  ['a token of hex', `token ${'5f4d'.repeat(10)} was rejected`, '5f4d'],
  ['a key of an issuer', `STRIPE_KEY=${'5f4d'.repeat(8)}`, '5f4d'],
  ['a key of anybody', `acme_reporting_key: ${PLAIN}`, PLAIN],
  ['a code', 'pinCode=4711', '4711'],
  ['a token instead of a user', `redis://${PLAIN}@cache:6379/0`, PLAIN],
  ['a query’s key', `https://maps.example.com/js?key=${PLAIN}`, PLAIN],
  ['a code of OAuth', `https://app.example.com/cb?code=${PLAIN}&state=1`, PLAIN],
  ['a link that lets in', `https://app.example.com/reset-password/${PLAIN}abcd`, PLAIN],
  ['a login of Docker', `docker login -u bob -p ${PLAIN} reg.example.com`, PLAIN],
  ['a flag in quotes', `mysql -uroot -p'${PLAIN}' shop`, PLAIN],
  ['curl’s user without a blank', `curl -ubob:${PLAIN} https://x.example.com`, PLAIN],
  ['a literal of kubectl', `kubectl create secret generic x --from-literal=mongo=${PLAIN}`, PLAIN],
  ['a pair of vault', `vault kv put secret/db value=${PLAIN}`, PLAIN],
  ['a share of a seal', `vault operator unseal ${PLAIN}`, PLAIN],
  ['openssl’s', `openssl rsa -passin pass:${PLAIN} -in x`, PLAIN],
  ['what echo hands over', `echo '${PLAIN}' | docker login --password-stdin`, PLAIN],
  ['RabbitMQ’s', `rabbitmqctl change_password bob ${PLAIN}`, PLAIN],
  ['Samba’s', `smbclient //srv/x -U bob%${PLAIN}`, PLAIN],
  ['Oracle’s', `sqlplus scott/${PLAIN}@orcl`, PLAIN],
  ['PowerShell’s', `ConvertTo-SecureString -String "${PLAIN}" -AsPlainText`, PLAIN],
  ['an FTP session', `USER bob\r\nPASS ${PLAIN}`, PLAIN],
  ['a list of Redis', `ACL SETUSER bob on >${PLAIN} ~* +@all`, PLAIN],
  ['MongoDB’s shell', `db.auth("bob","${PLAIN}")`, PLAIN],
  ['a Secret’s data', `kind: Secret\ndata:\n  mongo: ${btoa(PLAIN)}\n`, btoa(PLAIN).slice(0, 12)],
  ['JSON in base64', btoa(`{"password":"${PLAIN}"}`), btoa(`{"password":"${PLAIN}"}`).slice(8)],
  ['basic credentials of no name', `sent Basic ${btoa(`bob:${PLAIN}`)} to it`, btoa(`bob:${PLAIN}`)],
  ['a name in percent-encoding', `https://x.example.com/?contrase%C3%B1a=${PLAIN}`, PLAIN],
  ['a session of AWS', `x ${join('IQoJb3', 'JpZ2luX2Vj')}${'aB3d'.repeat(20)}`, 'aB3daB3d'],
  ['a bot of Discord', `${join('MTk4NjIyNDgzNDcxOTI1MjQ4', '.Cl2FMQ.')}${'aB3d'.repeat(7)}`, 'aB3daB3d'],
  ['a key of Azure', `${'aB3d'.repeat(19)}${join('+A', 'St')}aB3daB==`, 'aB3daB3d'],
  ['a short name’s plain word', 'pw: swordfish', 'swordfish'],
  ['a short name in an address', 'https://x.example.com/?pw=swordfish', 'swordfish'],
  ['a variable', 'PASS=swordfish', 'swordfish'],
  ['a login in words', 'User: bob Pass: swordfish', 'swordfish'],
  ['a word that a password is', 'the db pw is swordfish', 'swordfish'],
  ['a code in words', 'your verification code is 482913', '482913'],
  ['a card’s code', 'cvv: 123', '123'],
  ['a number of social security', 'ssn 123-45-6789', '6789'],
  ['a column', 'user,password\nbob,swordfish\neve,tigerlily', 'tigerlily'],
  ['a column, quoted', '"user";"api_key";"eu"\r\n"b;ob";"swordfish";"x"', 'swordfish'],
  ['a column of Markdown', '| user | password |\n|---|---|\n| bob | swordfish |', 'swordfish'],
  ['a column of psql', 'user | token\n-----+------\n bob | swordfish\n(1 row)', 'swordfish'],
  ['a column in JSON', JSON.stringify({ csv: 'user,password\nbob,swordfish' }), 'swordfish'],
  ['a value in the next line', 'password:\nswordfish', 'swordfish'],
  ['a value after a continued line', 'password=\\\n  swordfish', 'swordfish'],
  ['a value in two lines', 'token: abc123\\\ndef456', 'def456'],
  ['a value in two parts', 'password = "abc" + "swordfish"', 'swordfish'],
  ['parts below each other', 'password = ("abc"\n  "swordfish")', 'swordfish'],
  ['quotes within JSON within JSON', JSON.stringify(JSON.stringify({ password: 'a "b" swordfish' })), 'swordfish'],
  ['an entry of two words', `[{name: 'DB_PASSWORD', value: 'a swordfish'}]`, 'swordfish'],
  ['an entry with more', '{"name":"DB_PASSWORD","meta":{"a":1},"type":"plain","value":"swordfish"}', 'swordfish'],
  ['a parameter', 'ParameterKey=DBPassword,ParameterValue=swordfish', 'swordfish'],
  ['a field that was changed', '{"field":"password","from":"tiger","to":"swordfish"}', 'swordfish'],
  ['a patch', '{"op":"replace","path":"/spec/db_password","value":"swordfish"}', 'swordfish'],
  ['a pair', '["DB_PASSWORD","swordfish"]', 'swordfish'],
  ['what an object holds', '{"secrets":{"db":"swordfish99"}}', 'swordfish99'],
  ['settings in base64', btoa('DB_PASSWORD: swordfish'), btoa('DB_PASSWORD: swordfish').slice(4)],
  ['an address in base64', btoa('postgres://bob:swordfish@db/shop'), btoa('postgres://bob:swordfish@db/shop').slice(4)],
  ['entries in base64', btoa('[{"name":"DB_PASSWORD","value":"swordfish"}]'), btoa('swordfish').slice(4, 8)],
  ['a token of Okta', `it sent ${join('00', 'QCjAl4MlV-WPXM-ABcDeFgHiJkLmNoPqRsTuVwXy')}`, 'QCjAl4MlV'],
  ['a scheme of Okta', 'SSWS abcdefghijabcdefghijabcdefghij', 'abcdefghij'],
  ['a hash of a password', `$2b$12$${'abcdefghijk'.repeat(5)}`, 'abcdefghijk'],
  ['a hash of LDAP', '{SSHA}Xq7RtP9zLm2Kd8WvXq7RtP9z', PLAIN],
  ['a key of AWS without its id', `AWS_SECRET_ACCESS_KEY ${'aB3/'.repeat(10)}`, 'aB3/aB3/'],
  ['a token that is a UUID', 'consul token d3b07384-d9a0-4c9b-8f6e-4f1e2a3b4c5d', 'd3b07384'],
  ['a user without a blank flag', 'curl --user bob:swordfish https://x.example.com', 'swordfish'],
  ['a token that is cut', `event_type "x ${join('gh', 'p_')}x7Kq2mVb9…"`, 'x7Kq2mVb9'],
  ['a key that is cut', `x ${join('AK', 'IA')}Q3EGT7`, 'Q3EGT7'],
  ['an address that is cut', 'see https://bob:swordfi…', 'swordfi'],
  ['a shared access signature', 'https://acct.blob.example/c?sv=2022&sig=abc%2Bdef1234%3D&se=2026', 'def1234'],
])('%s is masked', (_, text, secret) => {
  expect(redactText(text)).not.toContain(secret)
  expect(redactText(text)).toContain(REDACTED)
})

test.each([
  'password reset deployed',
  'password: reset',
  'token_count=5',
  'api_key_count=5',
  'access_token_lifetime=3600',
  'cookie_domain=example.com',
  'authorization-mode=Node,RBAC',
  'password_hashing=argon2',
  'password_encryption: md5 -> scram-sha-256',
  'routing_key=orders.created',
  'private_key_path=/etc/tls/tls.key',
  'retry token: 5',
  '/oauth/token: 503',
  'secret.yaml: 3 changes',
  'auth: oauth2',
  'pin: 1.2.3',
  'pass: 12, fail: 3',
  'PASS: all of TestCheckout',
  'client_secret: (sensitive)',
  'password: [FILTERED]',
  'WHERE token = $1',
  'arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf',
  'DB_PASSWORD=\nDB_HOST=db',
  'user,role\nbob,admin',
  'id,token_count\n1,500',
  'error,token\nexpired,500',
  '{"name":"DB_PASSWORD","valueFrom":{"secretKeyRef":{"name":"db","key":"password"}}}',
  '{"name":"token_count","value":"5123"}',
  'order 4111111111111112 shipped',
  'see https://shop.example.com:8443',
  'redis://cache:{port}',
  '0000000000000000000000000000000000000000 is before Aa',
  'TmljZSB0byByZWFkIHRoaXMsIGlzIGl0IG5vdD8=',
  'secret checkout-db-7f9c2d rotated',
  'token refreshed by argocd in a4f2c1d9e8b7',
  'secret "payments-api-v2-token-x7k2p" not found',
  'password policy v2 enabled for OAuth2Client',
  'the token PaymentServiceV2 expects',
  'imagePullSecrets: [regcred, ghcr]',
  'tokens: 4096',
  'prompt_tokens=812, secrets: 3',
  'secrets: [db-credentials]',
  'docker run -u 1000:1000 shop',
  'ssh -p 2222 web-1',
  'caf\u00e9 \u2013 100 % of 3 pods',
  'a4f2c1d9e8b7a6f5c4d3e2f1a0b9c8d7e6f5a4b3',
  'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'registry.example.com:5000/shop/checkout:v1.2.3@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  '4111111111111111',
  '1760000000000',
  'took 1760000000000000000 ns',
  'git@github.com:acme/shop.git',
  'https://github.com/acme/shop/commit/a4f2c1d',
  'lodash@4.17.21',
  '@scope/package@1.0.0',
  'postgresql@15-main.service',
  'deploy@web-1',
  'token expired',
  'password authentication failed for user "shop"',
  'password: expired',
  'token_ttl=3600',
  'max_tokens=4096',
  'secretName: db-credentials',
  'secret "db-credentials" not found',
  'author: jane',
  'compass=north',
  'auth-service: connection refused',
  'keyspace=shop',
  'monkey: banana',
  'spin: 200',
  'timestamp=2026-01-15T10:23:41.123456789Z',
  ['PASSWORD=$', '{DB_PASSWORD}'].join(''),
  'redis://cache:6379/0',
  'http://host:8080/a@b',
  '00f067aa0ba902b7-4bf92f3577b34da6a3ce929d0e0e4736',
  'd3b07384-d9a0-4c9b-8f6e-4f1e2a3b4c5d',
  'task-runner-sk',
  'token:\n    at JwtParser.parse (jwt.js:12)',
  'partition_key=0a1b2c3d4e5f67890a1b2c3d4e5f6789',
  's3_key=logs/2026/01/15/app.log',
  'tls.key: /etc/tls/tls.key',
  'flagKey=express-checkout-v2',
  'code=ERR_CONNECTION_REFUSED',
  'PASS src/foo.test.ts',
  'users on >5 nodes, user bob has >100ms',
  'secretKeyRef: {name: db, key: password}',
  '"secret":{"secretName":"db-tls","defaultMode":420}',
  'secret:\n    secretName: db-credentials',
  'imagePullSecrets:\n- name: regcred\n- name: ghcr',
  'secrets:\n  - regcred\n  - ghcr',
  'auth:\n  enabled: true\n  type: ldap',
  '{"token":{"type":"bearer","expires_in":3600}}',
  'password policy changed from weak to strong',
  'password for bob: expired',
  'Basic authentication failed',
  'https://app.example.com/verify/build?id=1760000000000000',
  'deploy@web-1:/srv',
  '100% of 3 replicas, p99=1200ms, key=cart:42',
])('%j stays as it is', (text) => {
  expect(redactText(text)).toBe(text)
})

test('redacting twice is redacting once, whatever the text', () => {
  const pieces = fc.constantFrom(
    'password',
    'token',
    '=',
    ':',
    ' ',
    '"',
    "'",
    '\\',
    '@',
    'a.example',
    '://',
    '4111111111111111',
    'x1',
    '{',
    '}',
    '\n',
    ',',
    '(',
    ')',
    'Bearer ',
    REDACTED,
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 5 })), { maxLength: 20 }), (parts) => {
      const once = redactText(parts.join(''))
      expect(redactText(once)).toBe(once)
    }),
    { numRuns: 600 },
  )
})

const base = {
  serviceName: 'shop',
  vendor: 'v',
  entity: 'shop',
  eventType: 'deploy' as const,
  oldValue: null,
  newValue: null,
  actor: null,
  sha: null,
}

describe('an event', () => {
  test('keeps the address of whoever did it, for the tenant’s own people; others see that much', () => {
    const event = redactEvent({ ...base, actor: 'jane.doe@example.com' })
    expect(event.actor).toBe('jane.doe@example.com')
    expect(maskActor(event.actor)).toBe('j***@example.com')
    expect(maskActor('Jane Doe <jane@example.com>')).toBe('Jane Doe <j***@example.com>')
    expect(maskActor('argocd')).toBe('argocd')
  })

  test('has secrets for values where its entity is named one', () => {
    const changed = {
      ...base,
      eventType: 'config_change' as const,
      entity: 'shop/DB_PASSWORD',
      oldValue: 'hunter2',
      newValue: 'correct horse',
    }
    expect(redactEvent(changed)).toMatchObject({ entity: 'shop/DB_PASSWORD', oldValue: REDACTED, newValue: REDACTED })
    expect(redactEvent({ ...changed, newValue: 'rotated' })).toMatchObject({ newValue: 'rotated' })
    expect(redactEvent({ ...changed, eventType: 'deploy', entity: 'token-service', newValue: 'v2' })).toMatchObject({ newValue: 'v2' })
  })

  test('shows that something was masked', () => {
    expect(isRedacted(redactText('password=hunter2'))).toBe(true)
    expect(isRedacted('v1.2.3')).toBe(false)
  })

  test('names the keys of ours in it', () => {
    const key = createKey('readonly', (length) => new Uint8Array(length).fill(7))
    expect(findOwnKeys(`key is ${key}.`)).toEqual([key])
  })
})

const HOSTILE = [
  '%41',
  '%25',
  '\\u0041',
  '&#65;',
  'ä',
  'mysql -',
  '<a name="password">',
  'token [',
  'password -> ',
  'password "a" -> ',
  'password a ',
  'password',
  'password=',
  'password="',
  'eyJ',
  'eyJa.',
  'a@',
  '@',
  '%40',
  '://',
  '://a:',
  'u:p@',
  '4 ',
  '4',
  '4-',
  '"\\',
  '\\',
  '-----BEGIN PRIVATE KEY-----',
  'PRIVATE KEY',
  '-',
  '--a ',
  '<a',
  '<password>',
  'name=',
  'sk-',
  'a.',
  'a_',
  'xoxb-',
  'Bearer ',
  'identified by ',
  "password '",
  'token: |\n',
  '=',
  ': ',
  'key',
  '((',
  'a,',
  '&',
  '%2',
  '{$',
  'f',
  'A',
  'password=,',
  'password=a,',
  'password=(',
  "password=a'",
  'tokens=[a,',
  'password:\n ',
  'password:{a:1,',
  '(password) VALUES (',
  "(password) VALUES ('",
  'password changed from "',
  'kind: Secret data:\n a: b\n',
  'echo a ',
  'docker ',
  'Basic a',
  'value=a name=',
  '?key=a',
  '/reset/a',
  'password,a\n',
  'password=\\\n',
  'password="a" + ',
  'name=password {',
  'password is a ',
  'password is swordfish ',
  'changed password to a ',
  '("password", "swordfish", ',
  '("password", ',
  'auth=("a", ',
  'export A_TOKEN abcd1 ',
  'password\nswordfish\n',
  'password: **',
  'password=<b>',
  'token=<a',
  'user password\nbob a\n',
  'password={"old":"a",',
  'setPassword("a',
  '%c3',
]

/** The best of three, in milliseconds of this thread's processor time: what others do meanwhile does not count. */
function time(text: string): number {
  return Math.min(
    ...[1, 2, 3].map(() => {
      const before = process.threadCpuUsage()
      redactText(text)
      const { user, system } = process.threadCpuUsage(before)
      return (user + system) / 1_000
    }),
  )
}

test.each(HOSTILE)('time grows as a text of %j does', { retry: 2 }, (piece) => {
  const [short, long] = [10_000, 40_000].map((length) => `password @ ${piece.repeat(Math.ceil(length / piece.length))}`)
  const [shortMs, longMs] = [time(short ?? ''), time(long ?? '')]
  // Quadratic growth would be 16 times.
  expect(longMs).toBeLessThan(Math.max(40, 10 * shortMs))
})

test('an address of a host and a path is masked as it is within a sentence', () => {
  const part = fc.oneof(
    fc.constantFrom('runs', 'reset', 'Verification', 'invite', 'login', 'token', 'pass', '4111.1111.1111.1111', 'webhooks', 'sign-in'),
    of(WORD, 1, 60),
    fc.uuid(),
    ...Object.values(FORMED),
  )
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      const address = `https://${parts.join('/')}`
      fc.pre(/^https:[\w.~/-]+$/.test(address))
      expect(`see ${redactText(address)} `).toBe(redactText(`see ${address} `))
    }),
    { numRuns: 500 },
  )
})
