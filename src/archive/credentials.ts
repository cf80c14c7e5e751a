import type { AuthConfig } from '../config/schema.ts';
import { httpBasic } from './http-basic.ts';
import { type OAuthOptions, OAuthToken } from './oauth-token.ts';
import { readSecretFile } from './secret-file.ts';

/** How requests sign in. */
export interface Credentials {
  /**
   * The value of the Authorization header, or null for none.
   * @throws ClientFault of side `sign-in`, `setup` or `line`
   */
  authorization(): Promise<string | null>;
  /** What was handed out was refused: get it afresh the next time. */
  refresh(): void;
  close(): Promise<void>;
}

/** @param oauth how to reach the token service; used by `oauth2` only */
export function createCredentials(auth: AuthConfig, oauth: OAuthOptions): Credentials {
  if (auth.type === 'oauth2') return new OAuthToken(auth, oauth);
  if (auth.type === 'basic') {
    return fromFile(async () => {
      const password = await readSecretFile(auth.passwordFile, 'PASSWORD_FILE_UNREADABLE');
      return httpBasic(auth.user, password);
    });
  }
  if (auth.type === 'bearer') {
    return fromFile(async () => `Bearer ${await readSecretFile(auth.tokenFile, 'TOKEN_FILE_UNREADABLE')}`);
  }
  return fromFile(() => Promise.resolve(null));
}

/** Files are read for each request, so there is nothing to forget. */
function fromFile(authorization: () => Promise<string | null>): Credentials {
  return { authorization, refresh: () => {}, close: () => Promise.resolve() };
}
