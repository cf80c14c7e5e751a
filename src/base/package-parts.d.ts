/* Parts of packages that are loaded at every start, where the packages' own entries would load all of them. */

declare module 'undici/lib/api/index.js' {
  const methods: object;
  export default methods;
}

declare module 'undici/lib/core/connect.js' {
  export { buildConnector as default } from 'undici';
}

declare module 'undici/lib/dispatcher/client.js' {
  export { Client as default } from 'undici';
}

declare module 'undici/lib/dispatcher/dispatcher.js' {
  export { Dispatcher as default } from 'undici';
}

declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}

declare module 'systeminformation/lib/cpu.js' {
  export { cpuTemperature } from 'systeminformation';
}

declare module 'systeminformation/lib/memory.js' {
  export { mem } from 'systeminformation';
}
