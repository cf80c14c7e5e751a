import type { Clock } from '../base/clock.ts';
import type { SealedSecrets } from '../base/sealed-secrets.ts';
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
  readonly sealed: SealedSecrets;
}

export function createCredentials(auth: AuthConfig, options: CredentialsOptions): Credentials {
  const { sealed } = options;
  const oauth = (request: () => Promise<TokenRequest>): Credentials => new OAuthToken(request, options);
  switch (auth.type) {
    case 'oauth2':
      return oauth(() => clientCredentials(auth, sealed));
    case 'google-service-account':
      return oauth(() => serviceAccountAssertion(auth, options));
    case 'aws-sigv4':
      return new AwsSignature(auth, options);
    case 'basic':
      return fromFile(async () => {
        const password = await readSecretFile(
          { place: auth.passwordFile, sealed },
          'PASSWORD_FILE_UNREADABLE',
        );
        return httpBasic(auth.user, password);
      });
    case 'bearer':
      return fromFile(async () => {
        const token = await readSecretFile({ place: auth.tokenFile, sealed }, 'TOKEN_FILE_UNREADABLE');
        return `Bearer ${token}`;
      });
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
