// A certified OpenID provider (npm oidc-provider) with one person: `node provider.mjs PORT REDIRECT_URI`. Its two clients get
// ID tokens signed with RS256 and ES256; the second finds the address in the ID token, the first has to ask UserInfo for it.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const [port, redirect] = process.argv.slice(2);
const jwk = (pair, alg) => ({ ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg });
const client = (id, alg) => ({
  client_id: id,
  client_secret: `secret of ${id}: 100%`,
  redirect_uris: [redirect],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  token_endpoint_auth_method: 'client_secret_basic',
  id_token_signed_response_alg: alg,
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client('by userinfo', 'RS256'), client('by token', 'ES256')],
  jwks: {
    keys: [
      jwk(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'),
      jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256'),
    ],
  },
  pkce: { required: () => true },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  conformIdTokenClaims: process.env.CONFORM !== 'no',
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== 'eve', name: id }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
