import type { Catalogue } from '../speech.ts';

/** TLS, certificates, a rejected configuration, signing in and who may: by code. */
export const accessCodes: Catalogue['codes'] = {
  'cause.NOT_TLS': 'Los primeros bytes de la conexión no son ni TLS ni DICOM.',
  'do.NOT_TLS': 'Compruebe qué programa llama a este puerto: no es un aparato DICOM.',
  'cause.TLS_VERSION_TOO_OLD': 'El aparato solo habla versiones de TLS que ya no son seguras.',
  'do.TLS_VERSION_TOO_OLD': 'Active TLS 1.2 o 1.3 en el aparato, o haga que el fabricante lo actualice.',
  'cause.TLS_NOTHING_SHARED': 'El aparato y esta pasarela no tienen ningún método TLS en común.',
  'do.TLS_NOTHING_SHARED':
    'Permita ECDHE con AES-GCM en el aparato. Si solo conoce DHE, ponga «profile» en «b12»; si solo certificados RSA, dé uno a esta pasarela.',
  'cause.TLS_SERVER_CERTIFICATE_REFUSED': 'El aparato no acepta el certificado de esta pasarela.',
  'do.TLS_SERVER_CERTIFICATE_REFUSED':
    'Instale en el aparato el certificado de esta pasarela, o la autoridad que lo firmó, y compruebe el reloj del aparato.',
  'cause.TLS_HANDSHAKE_BROKEN_OFF': 'El aparato cortó la conexión durante la negociación TLS.',
  'do.TLS_HANDSHAKE_BROKEN_OFF':
    'Normalmente no acepta el certificado de esta pasarela: instálelo en el aparato y busque allí el motivo.',
  'cause.TLS_HANDSHAKE_TIMEOUT':
    'Se abrió una conexión al puerto TLS, pero la negociación no terminó a tiempo.',
  'do.TLS_HANDSHAKE_TIMEOUT':
    'Suele ser un escaneo de puertos o una supervisión. Si es un aparato, compruebe su red.',
  'cause.TLS_HANDSHAKES_FULL': 'Hay demasiadas negociaciones TLS en curso; esta conexión se cerró enseguida.',
  'do.TLS_HANDSHAKES_FULL':
    'El aparato lo intentará de nuevo. Si se repite, busque un aparato que se conecta y calla.',
  'cause.TLS_HANDSHAKE_FAILED': 'Lo que envió el aparato no es TLS válido.',
  'do.TLS_HANDSHAKE_FAILED': 'Pregunte al fabricante del aparato y cite este código.',
  'cause.TLS_CLIENT_CERTIFICATE_MISSING': 'El aparato llamó con TLS, pero no mostró certificado propio.',
  'do.TLS_CLIENT_CERTIFICATE_MISSING': 'Instale en el aparato su propio certificado y su clave.',
  'cause.TLS_CLIENT_CERTIFICATE_EXPIRED': 'El certificado del aparato ha caducado.',
  'do.TLS_CLIENT_CERTIFICATE_EXPIRED':
    'Instale uno nuevo en el aparato. Si aún es válido, ponga en hora el reloj de esta pasarela.',
  'cause.TLS_CLIENT_CERTIFICATE_EARLY': 'El certificado del aparato aún no es válido.',
  'do.TLS_CLIENT_CERTIFICATE_EARLY':
    'Ponga en hora el reloj de esta pasarela; si va bien, el certificado se hizo para más tarde.',
  'cause.TLS_CLIENT_CERTIFICATE_WEAK':
    'La clave del certificado del aparato es demasiado corta para ser segura.',
  'do.TLS_CLIENT_CERTIFICATE_WEAK':
    'Dé al aparato un certificado con clave RSA de 2048 bits o más, o EC de 256 o más.',
  'cause.TLS_CLIENT_CERTIFICATE_UNKNOWN':
    'El certificado del aparato no se conoce aquí ni lo firmó una autoridad en la que se confíe aquí.',
  'do.TLS_CLIENT_CERTIFICATE_UNKNOWN':
    'Si es el correcto, añádalo en «certificate» de esta modalidad, o su autoridad en «clientCaFile».',
  'cause.TLS_CLIENT_CERTIFICATE_OTHER':
    'El certificado del aparato no es de los que están ligados a este título AE.',
  'do.TLS_CLIENT_CERTIFICATE_OTHER':
    'Si es el correcto, añádalo en «certificate» de esta modalidad; si no, averigüe quién llama.',
  'cause.TLS_PORT_TAKEN': 'No se puede abrir el puerto DICOM con TLS.',
  'do.TLS_PORT_TAKEN':
    'Compruebe que ningún otro programa usa el puerto y que la dirección es de esta máquina. Se reintenta solo.',
  'cause.TLS_FILE_UNREADABLE': 'No se puede leer el archivo de un certificado o de una clave.',
  'do.TLS_FILE_UNREADABLE':
    'Llame a informática: el archivo debe estar ahí y este programa debe poder leerlo. Se vuelve a mirar solo.',
  'cause.TLS_FILE_INVALID': 'Un archivo no contiene un certificado o una clave en formato PEM.',
  'do.TLS_FILE_INVALID': 'Llame a informática: ahí va un archivo PEM, la clave sin contraseña.',
  'cause.TLS_KEY_MISMATCH': 'La clave privada no corresponde al certificado.',
  'do.TLS_KEY_MISMATCH': 'Ponga el certificado y la clave que van juntos.',
  'cause.TLS_KEY_TOO_SHORT': 'La clave del certificado es demasiado corta para ser segura.',
  'do.TLS_KEY_TOO_SHORT': 'Consiga un certificado con clave RSA de 2048 bits o más, o EC de 256 o más.',
  'cause.TLS_CERTIFICATE_UNUSABLE': 'El certificado no se puede usar.',
  'do.TLS_CERTIFICATE_UNUSABLE':
    'Consiga un certificado con clave RSA de 2048 bits o más, firmado con SHA-256 o mejor.',
  'cause.WEB_HTTPS_PORT': 'No se puede abrir el puerto HTTPS de esta página.',
  'do.WEB_HTTPS_PORT': 'Compruebe que ningún otro programa usa el puerto. Se reintenta solo.',
  'cause.CONFIG_INVALID': 'El archivo de configuración cambiado no es válido; sigue en uso el de antes.',
  'do.CONFIG_INVALID': 'Corrija el archivo; «gantry check-config» dice dónde está el error.',
  'cause.AUTH_WRONG': 'El nombre o la contraseña no es correcto.',
  'do.AUTH_WRONG':
    'Inténtelo de nuevo; cuentan mayúsculas y minúsculas. Un administrador puede poner otra contraseña; «gantry auth reset» en el equipo crea un administrador nuevo.',
  'cause.AUTH_PASSWORD': 'Su contraseña actual es otra.',
  'do.AUTH_PASSWORD': 'Escriba la que usó al iniciar sesión; cuentan mayúsculas y minúsculas.',
  'cause.AUTH_SESSION_ENDED': 'Su sesión ya no está iniciada.',
  'do.AUTH_SESSION_ENDED': 'Inicie sesión de nuevo.',
  'cause.AUTH_NEEDED': 'Para esto hay que iniciar sesión.',
  'do.AUTH_NEEDED': 'Inicie sesión en esta página.',
  'cause.AUTH_ROLE': 'Su rol no lo permite.',
  'do.AUTH_ROLE': 'Pida a un administrador de este equipo que lo haga o que le dé ese rol.',
  'cause.AUTH_CSRF': 'A esta petición le falta la prueba de que viene de la página donde inició sesión.',
  'do.AUTH_CSRF': 'Cargue la página de nuevo y repítalo.',
  'cause.AUTH_CODE_UNREADABLE': 'No es un código de técnico completo.',
  'do.AUTH_CODE_UNREADABLE': 'Cópielo otra vez, del primer al último signo.',
  'cause.AUTH_CODE_SIGNATURE': 'Este código se hizo con una clave que este equipo no conoce.',
  'do.AUTH_CODE_SIGNATURE':
    'Pida a informática que añada la clave pública en «access.technicianKeys», o haga un código en el equipo.',
  'cause.AUTH_CODE_BOX': 'Este código se hizo para otro equipo.',
  'do.AUTH_CODE_BOX': 'Pida uno para el identificador de este equipo; esta página lo muestra.',
  'cause.AUTH_CODE_EXPIRED': 'Este código ya no vale: valía 8 horas.',
  'do.AUTH_CODE_EXPIRED': 'Pida uno nuevo y compruebe el reloj de este equipo.',
  'cause.AUTH_CODE_EARLY': 'Este código aún no vale.',
  'do.AUTH_CODE_EARLY': 'Compruebe el reloj de este equipo.',
  'cause.SIGN_IN_LOCKED':
    'Han fallado demasiados inicios de sesión desde este aparato; este no se ha mirado.',
  'do.SIGN_IN_LOCKED':
    'Espere unos minutos e inténtelo de nuevo. Quien haya perdido la contraseña pide ayuda a un administrador o usa «gantry auth reset» en el equipo.',
  'cause.SIGN_IN_BUSY':
    'Han fallado demasiados inicios de sesión desde varios aparatos; este no se ha mirado. Quizá alguien adivina contraseñas.',
  'do.SIGN_IN_BUSY': 'Espere unos minutos o use un aparato desde el que ya haya iniciado sesión.',
  'cause.PAIRING_CODE': 'No es el código de enlace.',
  'do.PAIRING_CODE':
    'Léalo en la consola o en el registro del equipo: una línea con «pairing code». Tras diez intentos falsos deja de valer.',
  'cause.PAIRING_CLOSED': 'Este equipo no acepta código de enlace.',
  'do.PAIRING_CLOSED':
    'Inicie sesión. Si se perdió la contraseña o no hay administrador: «gantry auth reset» en la consola del equipo.',
  'cause.PAIRING_OVER': 'Este equipo ya no acepta código de enlace: el de «gantry auth reset» vale una hora.',
  'do.PAIRING_OVER':
    'Use otra vez «gantry auth reset» en el equipo e introduzca el código nuevo antes de una hora.',
  'cause.USER_PASSWORD':
    'Esta contraseña es demasiado fácil de adivinar: necesita 10 caracteres o más, no todos iguales, sin el nombre.',
  'do.USER_PASSWORD': 'Use unas palabras que solo usted juntaría.',
  'cause.USER_EXISTS': 'Ya hay un usuario con ese nombre.',
  'do.USER_EXISTS': 'Elija otro nombre o cambie ese usuario.',
  'cause.USER_CONFIGURED': 'Este usuario viene de la configuración.',
  'do.USER_CONFIGURED': 'Cámbielo allí, en «users».',
  'cause.USER_LAST_ADMIN': 'Es el único administrador de este equipo.',
  'do.USER_LAST_ADMIN': 'Haga primero administrador a otra persona.',
  'cause.ACCOUNT_MISSING': 'No existe ese usuario, token o sesión.',
  'do.ACCOUNT_MISSING': 'Cargue la lista de nuevo.',
  'cause.ACCOUNT_TOO_MANY': 'Ya hay 100.',
  'do.ACCOUNT_TOO_MANY': 'Elimine los que ya nadie usa.',
  'cause.ACCESS_DAMAGED':
    'El archivo de usuarios y tokens está dañado; solo los de la configuración pueden iniciar sesión.',
  'do.ACCESS_DAMAGED':
    'Restaure access/state de una copia y reinicie, o «gantry auth reset»: empieza de nuevo, sin nadie.',
  'cause.AUDIT_NOT_WRITTEN': 'Lo que se hizo no pudo escribirse en el registro de auditoría.',
  'do.AUDIT_NOT_WRITTEN':
    'Compruebe el disco del equipo. Puede haberse hecho de todos modos: mire antes de repetirlo.',
  'verdict.TLS_CLOSED': 'Sin recepción por TLS: {cause}. Las imágenes enviadas sin TLS se reciben.',
  'verdict.TLS_EXPIRED':
    'El certificado para DICOM con TLS ha caducado ({time}); puede que los aparatos no envíen.',
  'verdict.TLS_EARLY':
    'El certificado para DICOM con TLS aún no es válido (desde {time}); puede que los aparatos no envíen.',
  'verdict.TLS_FILES_REJECTED':
    'No se usa un certificado cambiado para DICOM con TLS: {cause}. Sigue el anterior.',
  'verdict.TLS_RENEW': 'El certificado para DICOM con TLS caduca ({time}); hasta entonces vale.',
  'verdict.CONFIG_REJECTED': '{cause}.',
  'do.TLS_EXPIRED':
    'Si lo hizo el equipo: quite config/dicom-tls del directorio de datos, reinicie la pasarela e instale el nuevo en los aparatos. Si no, ponga uno nuevo con su clave en el mismo sitio; se toma solo.',
  'do.TLS_RENEW':
    'Si lo hizo el equipo: quite config/dicom-tls del directorio de datos, reinicie la pasarela e instale el nuevo en los aparatos. Si no, ponga uno nuevo con su clave en el mismo sitio; se toma solo.',
  'do.TLS_EARLY':
    'Compruebe la fecha de este equipo. Si es correcta, hace falta otro certificado: llame a informática.',
};
