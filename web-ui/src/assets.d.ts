/** A file as its URL on the server. */
declare module '*.svg?no-inline' {
  const url: string;
  export default url;
}

declare module '*.css';
