import type { Catalogue } from '../speech.ts';

/** D’où viennent les réglages, et ce que deviennent les nouveaux. */
export const centralPhrases = {
  'central.generation': 'génération {n}, de l’informatique centrale (numéro {m} là-bas), {date}',
  'central.title': 'Informatique centrale',
  'central.fleet': 'Flotte',
  'central.newest': 'Est-ce le plus récent ?',
  'central.fresh': 'Oui',
  'central.stale': 'Inconnu : rien n’a été entendu depuis trop longtemps',
  'central.behind': 'Non : il y en a un plus récent, qui n’est pas arrivé',
  'central.clock': 'Inconnu : l’horloge de ce boîtier n’est pas fiable',
  'central.unheard': 'Pas encore connu',
  'central.https': 'Serveur web',
  'central.mqtt': 'Broker',
  'central.usb': 'Clé USB',
  'central.reached': 'Atteint',
  'central.notYet': 'Pas encore de contact',
  'central.next': '{ago}, de nouveau à {time}',
  'central.lastContact': 'dernier contact {ago}',
  'central.overrides': 'Réglé sur ce boîtier',
  'central.checking': 'De nouveaux réglages sont examinés.',
  'central.trial': 'De nouveaux réglages sont à l’essai : confirmés avant {time}, ou annulés d’eux-mêmes.',
  'central.undoing': 'De nouveaux réglages sont annulés.',
  'central.waits': 'De nouveaux réglages de l’informatique centrale (numéro {n}) attendent leur tour.',
  'central.waitsUntil':
    'De nouveaux réglages de l’informatique centrale (numéro {n}) entrent en service à {time}.',
  'central.waitsForYou':
    'De nouveaux réglages de l’informatique centrale (numéro {n}) attendent que quelqu’un les mette en service à la console : gantry config apply.',
  'central.refused': 'De nouveaux réglages ont été refusés {ago} ; ceux d’avant restent en service.',
  'central.undone': 'De nouveaux réglages ont été annulés {ago} ; ceux d’avant sont de nouveau en service.',
  'central.disbelieved':
    'Quelque chose au nom de l’informatique centrale n’a pas été cru, la dernière fois {ago} ({times}).',
};

const notTaken = 'Appelez l’informatique centrale et donnez ce code. Ce boîtier continue sans changement.';
const proxy =
  'Appelez l’informatique : le proxy doit laisser passer ce boîtier vers l’informatique centrale.';

export const centralCodes: Catalogue['codes'] = {
  'do.CENTRAL': notTaken,
  'cause.CONFIG_NOT_LOCAL': 'L’informatique centrale se réserve ce réglage.',
  'do.CONFIG_NOT_LOCAL': 'Demandez le changement à l’informatique centrale.',
  'cause.APPLY_INTERRUPTED': 'La passerelle s’est arrêtée pendant l’essai.',
  'cause.APPLY_TAKEN_BACK': 'Quelqu’un les a retirés avant la confirmation.',
  'cause.APPLY_NOT_CONFIRMED': 'Personne ne les a confirmés à temps.',
  'cause.APPLY_NO_CONTACT': 'Avec eux, l’informatique centrale n’a pas été jointe à temps.',
  'cause.APPLY_PORT': 'Un port ne peut pas être ouvert.',
  'cause.APPLY_RESERVE': 'Le disque a moins de place libre que la réserve voulue.',
  'cause.APPLY_CALLER': 'Un appareil qui a appelé dans les dernières 24 heures serait refusé.',
  'cause.APPLY_DESTINATION': 'Avec eux, une archive ne répond pas comme il faut.',
  'cause.APPLY_NOTIFY': 'Avec eux, un serveur de messages n’est pas joignable.',
  'cause.APPLY_REMOTE': 'Avec eux, l’informatique centrale ne serait pas joignable.',
  'cause.FLEET_SCHEMA_NEWER': 'Ils sont écrits pour une version plus récente de ce logiciel.',
  'cause.FLEET_OVERRIDE_CONFLICT': 'Ils ne vont pas avec ce qui a été réglé sur ce boîtier.',
  'cause.FLEET_TOO_LARGE': 'Le document dépasse 64 Kio.',
  'cause.FLEET_UNREADABLE': 'Ces octets ne sont pas un document de ce genre.',
  'cause.FLEET_SIGNATURE': 'Aucune clé admise ici pour cela ne l’a signé.',
  'cause.FLEET_THRESHOLD': 'Moins de clés qu’il n’en faut l’ont signé.',
  'cause.FLEET_REDIRECT_THRESHOLD':
    'Il change où vont des données de patients, et moins de clés qu’il n’en faut l’ont approuvé.',
  'cause.FLEET_WRONG_FLEET': 'Le document est d’une autre flotte.',
  'cause.FLEET_WRONG_DEVICE': 'Le document est pour un autre boîtier.',
  'cause.FLEET_ROLLBACK': 'Un document plus récent a déjà été vu.',
  'cause.FLEET_SAME_GENERATION': 'Il y a deux documents différents du même numéro.',
  'cause.FLEET_TRUST_GAP': 'Il manque des documents de confiance entre celui d’ici et le plus récent.',
  'cause.FLEET_TRUST_UNUSABLE': 'Ce document de confiance est inutilisable.',
  'cause.FLEET_TRUST_OLD': 'L’horodatage va avec un document de confiance plus ancien.',
  'cause.FLEET_PROOF': 'La preuve à côté de l’horodatage n’est pas la sienne.',
  'cause.FLEET_CERTIFICATE':
    'Le certificat n’est pas de ceux de cette flotte pour les boîtiers, ou il a été révoqué.',
  'cause.FLEET_CERTIFICATE_KEY': 'Le certificat est pour une autre clé que celles de ce boîtier.',
  'cause.FLEET_EXPIRED': 'La commande a expiré.',
  'cause.FLEET_EARLY': 'La commande vient du futur : une des horloges est fausse.',
  'cause.FLEET_CLOCK': 'La commande expire, et l’horloge de ce boîtier n’est pas fiable.',
  'cause.FLEET_REPLAY': 'La commande a déjà été exécutée.',
  'cause.REMOTE_FILE_UNREADABLE':
    'Un fichier nécessaire pour joindre l’informatique centrale est illisible ou n’est pas le bon.',
  'cause.REMOTE_PROXY_UNREACHABLE': 'Le proxy vers l’informatique centrale n’est pas joignable.',
  'cause.REMOTE_PROXY_REFUSED': 'Le proxy refuse le chemin vers l’informatique centrale.',
  'cause.REMOTE_PROXY_SIGN_IN': 'Le proxy veut un autre utilisateur ou un autre mot de passe.',
  'cause.REMOTE_NAME_UNKNOWN': 'Le nom du serveur de l’informatique centrale est inconnu ici (DNS).',
  'cause.REMOTE_UNREACHABLE': 'Le serveur de l’informatique centrale n’est pas joignable.',
  'cause.REMOTE_TIMEOUT': 'Le serveur de l’informatique centrale ne répond pas à temps.',
  'cause.REMOTE_TLS_EXPIRED': 'Le certificat du serveur n’est pas valable en ce moment.',
  'cause.REMOTE_TLS_UNTRUSTED': 'Ce boîtier ne fait pas confiance au certificat du serveur.',
  'cause.REMOTE_TLS': 'TLS avec le serveur de l’informatique centrale échoue.',
  'cause.REMOTE_SIGN_IN_REFUSED': 'Le serveur de l’informatique centrale ne laisse pas entrer ce boîtier.',
  'cause.REMOTE_BUSY': 'Le serveur de l’informatique centrale demande de revenir plus tard.',
  'cause.REMOTE_ANSWER': 'Le serveur de l’informatique centrale ne répond rien d’utile.',
  'cause.REMOTE_TOO_LARGE': 'Le serveur de l’informatique centrale envoie plus qu’un document ne peut avoir.',
  'cause.REMOTE_STICK': 'La clé ne peut pas être lue, ou le rapport pas y être écrit.',
  'do.REMOTE_FILE_UNREADABLE': notTaken,
  'do.REMOTE_PROXY_UNREACHABLE': proxy,
  'do.REMOTE_PROXY_REFUSED': proxy,
  'do.REMOTE_PROXY_SIGN_IN':
    'Appelez l’informatique : le nom et le mot de passe du proxy doivent être justes ici.',
  'do.REMOTE_NAME_UNKNOWN':
    'Demandez à l’informatique si les serveurs de noms de ce boîtier sont justes et fonctionnent.',
  'do.REMOTE_UNREACHABLE':
    'Vérifiez le réseau ; puis demandez à l’informatique si le pare-feu laisse sortir ce boîtier.',
  'do.REMOTE_TIMEOUT': 'Vérifiez la ligne Internet ; l’essai reprend de lui-même.',
  'do.REMOTE_TLS_EXPIRED': 'Vérifiez l’horloge de ce boîtier, puis appelez l’informatique centrale.',
  'do.REMOTE_TLS_UNTRUSTED':
    'Demandez à l’informatique si un pare-feu ouvre le TLS : ce chemin doit en être exempté.',
  'do.REMOTE_TLS': notTaken,
  'do.REMOTE_SIGN_IN_REFUSED': notTaken,
  'do.REMOTE_BUSY': 'Rien à faire : l’essai reprend de lui-même.',
  'do.REMOTE_ANSWER': notTaken,
  'do.REMOTE_TOO_LARGE': notTaken,
  'do.REMOTE_STICK': 'Vérifiez que la clé est branchée, qu’on peut y écrire et qu’elle a de la place.',
};
