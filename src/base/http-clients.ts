import api from 'undici/lib/api/index.js';
import buildConnector from 'undici/lib/core/connect.js';
import Client from 'undici/lib/dispatcher/client.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import Pool from 'undici/lib/dispatcher/pool.js';

/*
 * The HTTP clients of undici. Its own entry also loads fetch, caches, WebSocket and mocks: two thirds of it, and
 * some megabytes that a box would carry for nothing.
 */

// As the entry does.
Object.assign(Dispatcher.prototype, api);

export { buildConnector, Client, Pool };
