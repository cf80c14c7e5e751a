/*
 * Settings of the process itself, made before any other module is loaded.
 * The thread pool serves fsync and name look-ups alike: with the default four threads a slow name server would
 * hold up acknowledgements. Files are made for the owner alone.
 */
process.env['UV_THREADPOOL_SIZE'] ??= '16';
process.umask(0o077);
