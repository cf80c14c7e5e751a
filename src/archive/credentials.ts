import type { Clock } from '../base/clock.ts';
import type { AuthConfig } from '../config/schema.ts';
import { AwsSignature } from './aws-signature.ts';
import { clientCredentials } from './client-credentials.ts';
import type { ConnectorOptions } from './connector.ts';
import { httpBasic } from './http-basic.ts';
import type { LineLimits, LineRequest } from './http-line.ts';
import { OAuthToken, type TokenRequest } from './oauth-token.ts';
import { readSecretFile } from './secret-file.ts';
import { serviceAccountAssertion } from './service-account.ts';

/** How requests sign in. */
export interface Credentials {
  /**
   * The headers that sign this request, in addition to its own.
   * @throws ClientFault of side `sign-in`, `setup` or `line`
   */
  headers(request: RequestToSign): Promise<Record<string, string>>;
  /** What was handed out was refused: get it afresh the next time. */
  refresh(): void;
  close(): Promise<void>;
}

export type RequestToSign = Pick<LineRequest, 'method' | 'path' | 'headers'>;

export interface CredentialsOptions {
  /** Scheme, host and port of the archive. */
  readonly origin: string;
  /** How a token service is reached. */
  readonly connection: Omit<ConnectorOptions, 'connectMs'>;
  readonly limits: LineLimits;
  readonly clock: Clock;
}

export function createCredentials(auth: AuthConfig, options: CredentialsOptions): Credentials {
  const token = (request: () => Promise<TokenRequest>): Credentials => new OAuthToken(request, options);
  switch (auth.type) {
    case 'oauth2':
      return token(() => clientCredentials(auth));
    case 'google-service-account':
      return token(() => serviceAccountAssertion(auth, options.clock));
    case 'aws-sigv4':
      return new AwsSignature(auth, options);
    case 'basic':
      return fromFile(async () => {
        const password = await readSecretFile(auth.passwordFile, 'PASSWORD_FILE_UNREADABLE');
        return httpBasic(auth.user, password);
      });
    case 'bearer':
      return fromFile(async () => `Bearer ${await readSecretFile(auth.tokenFile, 'TOKEN_FILE_UNREADABLE')}`);
    case 'none':
    case 'mtls':
      break;
  }
  return { headers: () => Promise.resolve({}), refresh: () => {}, close: () => Promise.resolve() };
}

/** Files are read for each request, so there is nothing to forget. */
function fromFile(authorization: () => Promise<string>): Credentials {
  return {
    headers: async () => ({ authorization: await authorization() }),
    refresh: () => {},
    close: () => Promise.resolve(),
  };
}
