import type { Catalogue } from '../speech.ts';

/** What the tests of the line and of modalities say: `line.STEP.CODE`, `echo.CODE`, and what to do. */
export const testCodes: Catalogue['codes'] = {
  'line.NOT_REACHED': 'No se probó, porque antes falló algo.',
  'line.NOT_NEEDED': 'No hace falta en este camino.',
  'line.link.OK': 'Conectado.',
  'line.link.NO_LINK': 'Ninguna tarjeta de red de este equipo tiene conexión.',
  'line.link.NO_ADDRESS': 'El cable está puesto, pero este equipo no tiene dirección IP.',
  'line.gateway.OK': 'El camino fuera de la red propia está puesto.',
  'line.gateway.NO_GATEWAY': 'Sin puerta de enlace: este equipo no conoce camino fuera de su red.',
  'line.gateway.GATEWAY_SILENT': 'La puerta de enlace no responde.',
  'line.dns.OK': 'El nombre se conoce.',
  'line.dns.ENOTFOUND': 'El nombre no se conoce (DNS).',
  'line.dns': 'El servicio de nombres no responde (DNS).',
  'line.proxy.OK': 'El proxy deja pasar a este equipo.',
  'line.proxy': 'No se puede pasar por el proxy.',
  'line.tls.OK': 'Conectado.',
  'line.tls.ISSUER_CHANGED': 'Cifrado, pero el certificado lo firma ahora otro.',
  'line.tls.CERT_HAS_EXPIRED': 'El certificado del archivo ha caducado.',
  'line.tls.CERT_NOT_YET_VALID': 'El certificado solo es válido desde:',
  'line.sign-in.OK': 'El archivo ha respondido y acepta a este equipo.',
  'line.clock.OK': 'Los relojes del equipo y del archivo coinciden.',
  'line.clock.CLOCK_OFF': 'El reloj del equipo difiere del del archivo.',
  'line.clock.CLOCK_WRONG': 'El reloj del equipo va mal.',
  'line.mount.OK': 'La carpeta está ahí, con su archivo de marca.',
  'line.mount': 'La carpeta no se puede usar.',
  'line.write.OK': 'Se escribió, leyó y borró un archivo pequeño.',
  'line.write': 'No se pudo escribir, leer o borrar allí un archivo pequeño.',
  'do.line.link.NO_LINK':
    'Compruebe el cable por ambos extremos y que la luz junto a la toma esté encendida.',
  'do.line.link.NO_ADDRESS':
    'Pregunte a informática si la red reparte direcciones aquí (DHCP), o ponga una fija.',
  'do.line.gateway.NO_GATEWAY': 'Pregunte a informática la dirección de la puerta de enlace (router).',
  'do.line.gateway.GATEWAY_SILENT':
    'Pregunte a informática si el router está encendido y si esa es aún su dirección.',
  'do.line.dns.ENOTFOUND':
    'Compruebe el nombre en la configuración; luego pregunte a informática si sus servidores pueden resolver nombres de Internet.',
  'do.line.dns':
    'Pregunte a informática si los servidores de nombres puestos aquí son correctos y funcionan.',
  'do.line.proxy':
    'Llame a informática: el proxy debe dejar pasar a este equipo hacia el archivo; su usuario y contraseña deben ser correctos aquí.',
  'do.line.tls.ISSUER_CHANGED':
    'Si no es la nueva autoridad del archivo, pregunte a informática si un cortafuegos abre conexiones cifradas.',
  'do.line.tls.CERT_HAS_EXPIRED':
    'Si la fecha es correcta, llame al archivo: debe renovar su certificado. Si no, ponga en hora el equipo.',
  'do.line.tls.CERT_NOT_YET_VALID':
    'El reloj del equipo irá mal: póngalo en hora y dé al equipo un servidor de hora.',
  'do.line.tls.archive':
    'Compare la dirección y el puerto con los que dio el archivo; si son correctos, el archivo debe decir si funciona.',
  'do.line.tls.site-it': 'Corrija el archivo o el ajuste citado aquí.',
  'do.line.sign-in.site-it': 'Corrija el archivo o el ajuste citado aquí.',
  'do.line.sign-in.archive': 'Dé este código al archivo; debe decir qué le pasa.',
  'do.line.clock': 'Dé al equipo un servidor de hora o póngalo en hora.',
  'do.line.mount': 'Pregunte a informática si el almacenamiento está encendido y montado en este equipo.',
  'do.line.write':
    'Pregunte a informática: debe haber sitio, y este equipo debe poder escribir, leer y borrar en esa carpeta.',
  'do.line.tls.ETIMEDOUT':
    'Pregunte a informática si un cortafuegos bloquea esa dirección y ese puerto para el equipo.',
  'do.line.tls.UND_ERR_CONNECT_TIMEOUT':
    'Pregunte a informática si un cortafuegos bloquea esa dirección y ese puerto para el equipo.',
  'line.tls.DEPTH_ZERO_SELF_SIGNED_CERT':
    'El certificado no es de confianza aquí. Alguien intermedio, como un cortafuegos, quizá abre conexiones cifradas. Firmado por:',
  'do.line.tls.DEPTH_ZERO_SELF_SIGNED_CERT':
    'Pregunte a informática si la autoridad citada es suya. Si lo es, hay que exceptuar el archivo; si es la propia del archivo, póngala en «caFile».',
  'line.tls.SELF_SIGNED_CERT_IN_CHAIN':
    'El certificado no es de confianza aquí. Alguien intermedio, como un cortafuegos, quizá abre conexiones cifradas. Firmado por:',
  'do.line.tls.SELF_SIGNED_CERT_IN_CHAIN':
    'Pregunte a informática si la autoridad citada es suya. Si lo es, hay que exceptuar el archivo; si es la propia del archivo, póngala en «caFile».',
  'line.tls.UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    'El certificado no es de confianza aquí. Alguien intermedio, como un cortafuegos, quizá abre conexiones cifradas. Firmado por:',
  'do.line.tls.UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    'Pregunte a informática si la autoridad citada es suya. Si lo es, hay que exceptuar el archivo; si es la propia del archivo, póngala en «caFile».',
  'line.tls.UNABLE_TO_GET_ISSUER_CERT':
    'El certificado no es de confianza aquí. Alguien intermedio, como un cortafuegos, quizá abre conexiones cifradas. Firmado por:',
  'do.line.tls.UNABLE_TO_GET_ISSUER_CERT':
    'Pregunte a informática si la autoridad citada es suya. Si lo es, hay que exceptuar el archivo; si es la propia del archivo, póngala en «caFile».',
  'line.tls.UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    'El certificado no es de confianza aquí. Alguien intermedio, como un cortafuegos, quizá abre conexiones cifradas. Firmado por:',
  'do.line.tls.UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    'Pregunte a informática si la autoridad citada es suya. Si lo es, hay que exceptuar el archivo; si es la propia del archivo, póngala en «caFile».',
  'do.line.sign-in.HTTP_401':
    'El archivo debe decir si el usuario, el token o el certificado del equipo aún valen y pueden leer.',
  'do.line.sign-in.HTTP_403':
    'El archivo debe decir si el usuario, el token o el certificado del equipo aún valen y pueden leer.',
  'echo.EHOSTUNREACH': 'No hay camino de red hasta el aparato.',
  'do.echo.EHOSTUNREACH':
    'Compruebe la dirección puesta aquí para él, y el cable, la máscara y la puerta de enlace del equipo.',
  'echo.ENETUNREACH': 'No hay camino de red hasta el aparato.',
  'do.echo.ENETUNREACH':
    'Compruebe la dirección puesta aquí para él, y el cable, la máscara y la puerta de enlace del equipo.',
  'echo.ENOTFOUND': 'No se encuentra el nombre del aparato (DNS).',
  'do.echo.ENOTFOUND': 'Use la dirección IP del aparato, o haga corregir el servicio de nombres.',
  'echo.EAI_AGAIN': 'No se encuentra el nombre del aparato (DNS).',
  'do.echo.EAI_AGAIN': 'Use la dirección IP del aparato, o haga corregir el servicio de nombres.',
  'echo.ETIMEDOUT':
    'Nada responde: el aparato está apagado, en otro sitio, o un cortafuegos corta la conexión.',
  'do.echo.ETIMEDOUT':
    'Compruebe que el aparato está encendido y tiene esa dirección; luego pregunte a informática si hay un cortafuegos en medio.',
  'echo.UND_ERR_CONNECT_TIMEOUT':
    'Nada responde: el aparato está apagado, en otro sitio, o un cortafuegos corta la conexión.',
  'do.echo.UND_ERR_CONNECT_TIMEOUT':
    'Compruebe que el aparato está encendido y tiene esa dirección; luego pregunte a informática si hay un cortafuegos en medio.',
  'echo.ANSWER_LATE': 'Algo tomó la conexión, pero no respondió como DICOM.',
  'do.echo.ANSWER_LATE': 'Compruebe el puerto: debe ser el puerto DICOM del aparato.',
  'echo.DIMSE_PROTOCOL': 'Algo tomó la conexión, pero no respondió como DICOM.',
  'do.echo.DIMSE_PROTOCOL': 'Compruebe el puerto: debe ser el puerto DICOM del aparato.',
  'echo.DIMSE_ABORTED': 'El aparato aceptó la conexión y la cortó.',
  'do.echo.DIMSE_ABORTED': 'Inténtelo en un minuto; si sigue, reinicie el servicio DICOM del aparato.',
  'echo.DIMSE_CLOSED': 'El aparato aceptó la conexión y la cortó.',
  'do.echo.DIMSE_CLOSED': 'Inténtelo en un minuto; si sigue, reinicie el servicio DICOM del aparato.',
  'echo.ECONNRESET': 'El aparato aceptó la conexión y la cortó.',
  'do.echo.ECONNRESET': 'Inténtelo en un minuto; si sigue, reinicie el servicio DICOM del aparato.',
  'echo.EPIPE': 'El aparato aceptó la conexión y la cortó.',
  'do.echo.EPIPE': 'Inténtelo en un minuto; si sigue, reinicie el servicio DICOM del aparato.',
  'echo.ECONNREFUSED': 'El aparato está, pero nadie escucha en ese puerto (conexión rechazada).',
  'do.echo.ECONNREFUSED': 'Arranque el servicio DICOM del aparato o corrija aquí el puerto.',
  'echo.DIMSE_CALLED_AE': 'El aparato dice que su título AE no es el puesto aquí.',
  'do.echo.DIMSE_CALLED_AE': 'Corrija aquí el título AE de la modalidad; cuentan mayúsculas y minúsculas.',
  'echo.DIMSE_CALLING_AE': 'El aparato no conoce el título AE de este equipo.',
  'do.echo.DIMSE_CALLING_AE':
    'Añádalo con la dirección del equipo entre los nodos remotos del aparato; está más abajo en esta página.',
  'echo.DIMSE_REJECTED': 'El aparato rechazó la asociación sin decir qué título AE está mal.',
  'do.echo.DIMSE_REJECTED': 'Compare ambos títulos AE y ambas direcciones del aparato con los de aquí.',
  'echo.DIMSE_BUSY': 'El aparato no acepta asociaciones ahora: está ocupado.',
  'do.echo.DIMSE_BUSY': 'Espere a que termine la exploración e inténtelo de nuevo.',
  'echo.ECHO_NOT_OFFERED':
    'El aparato aceptó la asociación, pero no ofrece C-ECHO: la red y ambos títulos AE son correctos.',
  'do.echo.ECHO_NOT_OFFERED': 'Envíe una imagen desde el aparato para estar seguro del otro sentido.',
  'echo.ECHO_STATUS': 'El aparato respondió al C-ECHO con un error: la red y ambos títulos AE son correctos.',
  'do.echo.ECHO_STATUS': 'Mire el registro del aparato o llame a su servicio.',
  'echo.ECHO_OK': 'El aparato ha respondido.',
  'test-study.equal': 'El archivo tomó la imagen de prueba, y lo que devolvió es igual byte por byte.',
  'test-study.changed':
    'El archivo tomó la imagen de prueba, y la devuelve con bytes distintos de los enviados.',
  'test-study.no': 'El archivo dijo que tomó la imagen de prueba, pero no se pudo volver a leer.',
  'test-study.refused': 'El archivo no tomó la imagen de prueba.',
  'test-study.stays':
    'Una imagen de un estudio queda en el archivo, con el nombre de paciente GANTRY^TEST y el número GANTRY-TEST. Este equipo no la borra: haga que la borren allí cuando ya no haga falta.',
  'test-study.gone':
    'Lo más probable es que no quede nada en el archivo; para estar seguro, busque allí el número de paciente GANTRY-TEST.',
  'bundle.versions.json': 'Versiones de Gantry, Node.js y el sistema; la identidad de este equipo.',
  'bundle.status.json': 'Todo lo que muestra la página de estado.',
  'bundle.config.json': 'La configuración, sin nombres de usuario, secretos ni personas.',
  'bundle.config-history.json': 'De dónde vino la configuración.',
  'bundle.attempts.json':
    'Los últimos intentos de conexión de los aparatos, y los que llaman sin ser conocidos.',
  'bundle.refusals.json': 'Lo que se rechazó hace poco, con los motivos.',
  'bundle.queue.json': 'Cuánto espera y cuánto está apartado.',
  'bundle.parked.json': 'Lo retenido, rechazado o en conflicto, con nuestras propias claves y los motivos.',
  'bundle.disk.json': 'Sitio libre y total, y lo que va mal en el disco.',
  'bundle.network.json': 'Direcciones, puerta de enlace, servidores de nombres y de hora, el reloj.',
  'bundle.metrics.txt': 'Las cifras que ve la supervisión.',
  'bundle.log.txt': 'Las últimas líneas del registro, como mucho 2000.',
};
