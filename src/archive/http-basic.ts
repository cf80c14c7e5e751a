/** The Authorization or Proxy-Authorization value of HTTP Basic (RFC 7617), in UTF-8. */
export function httpBasic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}
