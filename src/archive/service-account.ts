import type { Clock } from '../base/clock.ts';
import type { SealedSecrets } from '../base/sealed-secrets.ts';
import type { AuthConfig } from '../config/schema.ts';
import { ClientFault } from './client-fault.ts';
import type { TokenRequest } from './oauth-token.ts';
import { readSecretText } from './secret-file.ts';

const assertionSeconds = 3600;
const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

interface ServiceAccountKey {
  readonly clientEmail: string;
  readonly privateKey: string;
  readonly privateKeyId: string | null;
  readonly tokenUrl: string;
}

/**
 * JWT bearer grant (RFC 7523 §2.1) as a Google service account, with its key file in JSON: an assertion signed
 * by RS256 is exchanged for an access token.
 * @throws ClientFault SERVICE_ACCOUNT_KEY_FILE_UNREADABLE, SERVICE_ACCOUNT_KEY_FILE_INVALID
 */
export async function serviceAccountAssertion(
  { keyFile, scope }: Extract<AuthConfig, { type: 'google-service-account' }>,
  { clock, sealed }: { readonly clock: Clock; readonly sealed: SealedSecrets },
): Promise<TokenRequest> {
  const text = await readSecretText({ place: keyFile, sealed }, 'SERVICE_ACCOUNT_KEY_FILE_UNREADABLE');
  // Loaded by those who sign in so; it takes memory.
  const [{ SignJWT }, { importPKCS8 }] = await Promise.all([
    import('jose/jwt/sign'),
    import('jose/key/import'),
  ]);
  try {
    const key = keyOf(text);
    const issuedAt = Math.floor(clock.now() / 1000);
    const { privateKeyId: kid } = key;
    const assertion = await new SignJWT({ scope })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(kid !== null && { kid }) })
      .setIssuer(key.clientEmail)
      .setAudience(key.tokenUrl)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + assertionSeconds)
      .sign(await importPKCS8(key.privateKey, 'RS256'));
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion,
    });
    return { url: key.tokenUrl, form };
  } catch {
    // The cause is left out: it may quote the file.
    throw new ClientFault('SERVICE_ACCOUNT_KEY_FILE_INVALID', { file: keyFile });
  }
}

/** @throws where the text is not a service account's key, or its token address is not to be trusted with it */
function keyOf(text: string): ServiceAccountKey {
  const json = (JSON.parse(text) ?? {}) as Record<string, unknown>;
  const {
    type,
    client_email: clientEmail,
    private_key: privateKey,
    private_key_id: privateKeyId,
    token_uri: tokenUrl,
  } = json;
  if (type !== 'service_account') throw new TypeError('not a service account');
  if (typeof clientEmail !== 'string' || typeof privateKey !== 'string' || typeof tokenUrl !== 'string') {
    throw new TypeError('incomplete');
  }
  const { protocol, hostname } = new URL(tokenUrl);
  if (protocol !== 'https:' && !(protocol === 'http:' && loopbackHosts.has(hostname))) {
    throw new TypeError('would be sent unencrypted');
  }
  return {
    clientEmail,
    privateKey,
    tokenUrl,
    privateKeyId: typeof privateKeyId === 'string' ? privateKeyId : null,
  };
}
