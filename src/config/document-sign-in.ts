import { z } from 'zod';
import { clientCertificate } from './document-line.ts';
import { secretPlace, shortText, tokenUrl } from './values.ts';

const awsName = z.string().regex(/^[a-z0-9-]{1,63}$/, 'is not a name of AWS');

export const auth = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('none') }).describe('No sign-in.'),
    z
      .strictObject({
        type: z.literal('basic'),
        user: shortText.describe('User name.'),
        passwordFile: secretPlace.describe('File that holds the password, or "secret:NAME".'),
      })
      .describe('HTTP Basic (RFC 7617).'),
    z
      .strictObject({
        type: z.literal('bearer'),
        tokenFile: secretPlace.describe(
          'File that holds the token, or "secret:NAME"; read again when the archive refuses it.',
        ),
      })
      .describe('Bearer token from a file (RFC 6750).'),
    z
      .strictObject({
        type: z.literal('oauth2'),
        tokenUrl: tokenUrl.describe('Token endpoint; https.'),
        clientId: shortText.describe('Client id.'),
        clientSecretFile: secretPlace.describe('File that holds the client secret, or "secret:NAME".'),
        scope: shortText.nullable().default(null).describe('Scope to ask for.'),
        audience: shortText.nullable().default(null).describe('Audience to ask for.'),
        clientAuthentication: z
          .enum(['basic', 'post'])
          .default('basic')
          .describe('Where id and secret go: "basic", the Authorization header; "post", the form.'),
      })
      .describe('OAuth 2.0 client credentials (RFC 6749 §4.4).'),
    z
      .strictObject({
        type: z.literal('google-service-account'),
        keyFile: secretPlace.describe('JSON key file of the service account, or "secret:NAME".'),
        scope: shortText
          .default('https://www.googleapis.com/auth/cloud-healthcare')
          .describe('Scope to ask for.'),
      })
      .describe('Google service account: a signed JWT is exchanged for a token (RFC 7523).'),
    z
      .strictObject({
        type: z.literal('aws-sigv4'),
        region: awsName.describe('Region of the service, e.g. "us-east-1".'),
        service: awsName.default('medical-imaging').describe('Name of the service in signatures.'),
        credentialsFile: secretPlace.describe(
          'Shared credentials file, or "secret:NAME": "aws_access_key_id", "aws_secret_access_key" and, where there is one, "aws_session_token". Read for each request.',
        ),
        credentialsProfile: shortText.default('default').describe('Which "[name]" of that file.'),
      })
      .describe('AWS Signature Version 4 of each request, the body left out.'),
    z
      .strictObject({ type: z.literal('mtls'), ...clientCertificate.shape })
      .describe('Mutual TLS alone (RFC 8446 §4.4.2).'),
  ])
  .default({ type: 'none' })
  .describe('How this box signs in.');
