import type { Catalogue } from '../speech.ts';

/** De dónde vienen los ajustes, y qué pasa con los nuevos. */
export const centralPhrases = {
  'central.generation': 'generación {n}, de la informática central (número {m} allí), {date}',
  'central.title': 'Informática central',
  'central.fleet': 'Flota',
  'central.newest': '¿Es lo más nuevo?',
  'central.fresh': 'Sí',
  'central.stale': 'No se sabe: hace demasiado que no se oye nada',
  'central.behind': 'No: hay algo más nuevo que no ha llegado',
  'central.clock': 'No se sabe: el reloj de este equipo no es de fiar',
  'central.unheard': 'Aún no se sabe',
  'central.https': 'Servidor web',
  'central.mqtt': 'Broker',
  'central.usb': 'Memoria USB',
  'central.reached': 'Alcanzado',
  'central.notYet': 'Aún sin contacto',
  'central.next': '{ago}, otra vez a las {time}',
  'central.lastContact': 'último contacto {ago}',
  'central.overrides': 'Fijado en este equipo',
  'central.checking': 'Se están examinando ajustes nuevos.',
  'central.trial': 'Hay ajustes nuevos a prueba: confirmados antes de las {time}, o deshechos por sí solos.',
  'central.undoing': 'Se están deshaciendo ajustes nuevos.',
  'central.waits': 'Hay ajustes nuevos de la informática central (número {n}) que esperan su turno.',
  'central.waitsUntil':
    'Hay ajustes nuevos de la informática central (número {n}) que entran en uso a las {time}.',
  'central.waitsForYou':
    'Hay ajustes nuevos de la informática central (número {n}) que esperan a que alguien los ponga en uso en la consola: gantry config apply.',
  'central.refused': 'Se rechazaron ajustes nuevos {ago}; los anteriores siguen en uso.',
  'central.undone': 'Se deshicieron ajustes nuevos {ago}; los anteriores vuelven a estar en uso.',
  'central.disbelieved':
    'Algo en nombre de la informática central no fue creído, la última vez {ago} ({times}).',
};

const notTaken =
  'Llame a la informática central y diga este código. Este equipo sigue funcionando sin cambios.';
const proxy = 'Llame a informática: el proxy tiene que dejar pasar este equipo a la informática central.';

export const centralCodes: Catalogue['codes'] = {
  'do.CENTRAL': notTaken,
  'cause.CONFIG_NOT_LOCAL': 'La informática central se reserva este ajuste.',
  'do.CONFIG_NOT_LOCAL': 'Pida el cambio a la informática central.',
  'cause.APPLY_INTERRUPTED': 'La pasarela terminó mientras se probaban.',
  'cause.APPLY_TAKEN_BACK': 'Alguien los retiró antes de confirmarse.',
  'cause.APPLY_NOT_CONFIRMED': 'Nadie los confirmó a tiempo.',
  'cause.APPLY_NO_CONTACT': 'Con ellos no se alcanzó a tiempo la informática central.',
  'cause.APPLY_PORT': 'Un puerto no se puede abrir.',
  'cause.APPLY_RESERVE': 'En el disco hay menos sitio libre que la reserva pedida.',
  'cause.APPLY_CALLER': 'Se rechazaría un aparato que llamó en las últimas 24 horas.',
  'cause.APPLY_DESTINATION': 'Con ellos un archivo no responde como debe.',
  'cause.APPLY_NOTIFY': 'Con ellos no se alcanza un servidor de avisos.',
  'cause.APPLY_REMOTE': 'Con ellos no se alcanzaría la informática central.',
  'cause.FLEET_SCHEMA_NEWER': 'Están escritos para una versión más nueva de este programa.',
  'cause.FLEET_OVERRIDE_CONFLICT': 'No encajan con lo que se fijó en este equipo.',
  'cause.FLEET_TOO_LARGE': 'El documento pasa de 64 KiB.',
  'cause.FLEET_UNREADABLE': 'Los bytes no son un documento de esta clase.',
  'cause.FLEET_SIGNATURE': 'No lo firmó ninguna clave de la que este equipo se fíe para ello.',
  'cause.FLEET_THRESHOLD': 'Lo firmaron menos claves de las necesarias.',
  'cause.FLEET_REDIRECT_THRESHOLD':
    'Cambia adónde van datos de pacientes, y lo aprobaron menos claves de las necesarias.',
  'cause.FLEET_WRONG_FLEET': 'El documento es de otra flota.',
  'cause.FLEET_WRONG_DEVICE': 'El documento es para otro equipo.',
  'cause.FLEET_ROLLBACK': 'Ya se vio un documento más nuevo.',
  'cause.FLEET_SAME_GENERATION': 'Hay dos documentos distintos del mismo número.',
  'cause.FLEET_TRUST_GAP': 'Faltan documentos de confianza entre el de aquí y el más nuevo.',
  'cause.FLEET_TRUST_UNUSABLE': 'El documento de confianza no se puede usar así.',
  'cause.FLEET_TRUST_OLD': 'El sello de tiempo es de un documento de confianza anterior.',
  'cause.FLEET_PROOF': 'La prueba junto al sello de tiempo no es la suya.',
  'cause.FLEET_EXPIRED': 'La orden ha caducado.',
  'cause.FLEET_EARLY': 'La orden viene del futuro: uno de los relojes va mal.',
  'cause.FLEET_CLOCK': 'La orden caduca, y el reloj de este equipo no es de fiar.',
  'cause.FLEET_REPLAY': 'La orden ya se cumplió.',
  'cause.REMOTE_FILE_UNREADABLE':
    'Un fichero que hace falta para llegar a la informática central no se puede leer o no es el debido.',
  'cause.REMOTE_PROXY_UNREACHABLE': 'No se alcanza el proxy hacia la informática central.',
  'cause.REMOTE_PROXY_REFUSED': 'El proxy niega el paso a la informática central.',
  'cause.REMOTE_PROXY_SIGN_IN': 'El proxy pide otro usuario u otra contraseña.',
  'cause.REMOTE_NAME_UNKNOWN': 'El nombre del servidor de la informática central no se conoce aquí (DNS).',
  'cause.REMOTE_UNREACHABLE': 'No se alcanza el servidor de la informática central.',
  'cause.REMOTE_TIMEOUT': 'El servidor de la informática central no responde a tiempo.',
  'cause.REMOTE_TLS_EXPIRED': 'El certificado del servidor no vale en este momento.',
  'cause.REMOTE_TLS_UNTRUSTED': 'Este equipo no se fía del certificado del servidor.',
  'cause.REMOTE_TLS': 'Falla TLS con el servidor de la informática central.',
  'cause.REMOTE_SIGN_IN_REFUSED': 'El servidor de la informática central no deja entrar a este equipo.',
  'cause.REMOTE_BUSY': 'El servidor de la informática central pide volver más tarde.',
  'cause.REMOTE_ANSWER': 'El servidor de la informática central no responde nada útil.',
  'cause.REMOTE_TOO_LARGE': 'El servidor de la informática central envía más de lo que cabe en un documento.',
  'cause.REMOTE_STICK': 'La memoria no se puede leer, o el informe no se puede escribir en ella.',
  'do.REMOTE_FILE_UNREADABLE': notTaken,
  'do.REMOTE_PROXY_UNREACHABLE': proxy,
  'do.REMOTE_PROXY_REFUSED': proxy,
  'do.REMOTE_PROXY_SIGN_IN':
    'Llame a informática: el nombre y la contraseña del proxy tienen que ser correctos aquí.',
  'do.REMOTE_NAME_UNKNOWN':
    'Pregunte a informática si los servidores de nombres de este equipo son correctos y funcionan.',
  'do.REMOTE_UNREACHABLE':
    'Compruebe la red; luego pregunte a informática si el cortafuegos deja salir a este equipo.',
  'do.REMOTE_TIMEOUT': 'Compruebe la línea de Internet; se vuelve a intentar solo.',
  'do.REMOTE_TLS_EXPIRED': 'Compruebe el reloj de este equipo, luego llame a la informática central.',
  'do.REMOTE_TLS_UNTRUSTED':
    'Pregunte a informática si un cortafuegos abre el TLS: este camino tiene que quedar exento.',
  'do.REMOTE_TLS': notTaken,
  'do.REMOTE_SIGN_IN_REFUSED': notTaken,
  'do.REMOTE_BUSY': 'Nada que hacer: se vuelve a intentar solo.',
  'do.REMOTE_ANSWER': notTaken,
  'do.REMOTE_TOO_LARGE': notTaken,
  'do.REMOTE_STICK': 'Compruebe que la memoria está puesta, que se puede escribir y que tiene sitio.',
};
