import type { AuthConfig } from '../config/schema.ts';
import { httpBasic } from './http-basic.ts';
import type { TokenRequest } from './oauth-token.ts';
import type { SealedSecrets } from '../base/sealed-secrets.ts';
import { readSecretFile } from './secret-file.ts';

/**
 * Client credentials grant (RFC 6749 §4.4). Id and secret go into the Authorization header, or into the form
 * where the configuration says so (§2.3.1).
 * @throws ClientFault CLIENT_SECRET_FILE_UNREADABLE
 */
export async function clientCredentials(
  auth: Extract<AuthConfig, { type: 'oauth2' }>,
  sealed: SealedSecrets,
): Promise<TokenRequest> {
  const { tokenUrl, clientId, clientSecretFile, scope, audience } = auth;
  const secret = await readSecretFile({ place: clientSecretFile, sealed }, 'CLIENT_SECRET_FILE_UNREADABLE');
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== null) form.set('scope', scope);
  if (audience !== null) form.set('audience', audience);
  if (auth.clientAuthentication === 'post') {
    form.set('client_id', clientId);
    form.set('client_secret', secret);
    return { url: tokenUrl, form };
  }
  return { url: tokenUrl, form, authorization: httpBasic(formEncoded(clientId), formEncoded(secret)) };
}

/** RFC 6749 Appendix B, asked for by §2.3.1 before Basic. */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}
