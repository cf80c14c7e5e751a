import { setFlagsFromString } from 'node:v8';

/*
 * Settings of the process itself, made before any other module is loaded.
 * The thread pool serves fsync and name look-ups alike: with the default four threads a slow name server would
 * hold up acknowledgements. Files are made for the owner alone.
 */
process.env['UV_THREADPOOL_SIZE'] ??= '16';
process.umask(0o077);

/*
 * Image data passes through buffers outside the JavaScript heap, and the heap itself stays small. By default the
 * collector then marks the whole heap every few objects to get at the buffers (half of all CPU time, pauses of
 * 40 ms). The young generation frees them as they die; the old one may grow threefold before it is marked.
 */
setFlagsFromString('--heap-growing-percent=200');
