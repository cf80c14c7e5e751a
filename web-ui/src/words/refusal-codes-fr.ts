import type { Catalogue } from '../speech.ts';

const next = {
  vendor: 'Ce n’est ni le réseau ni un réglage : demandez au fabricant de l’appareil et donnez ce code.',
  fewer:
    'Faites proposer à l’appareil moins de classes SOP et de syntaxes de transfert, ou demandez à l’informatique d’élever la limite.',
  parallel:
    'Réglez dans l’appareil moins d’associations parallèles, ou demandez à l’informatique d’élever la limite.',
  pdu: 'Réglez dans l’appareil la taille maximale des PDU à 131072 ou moins, ou demandez à l’informatique d’élever la limite.',
  large:
    'Faites partager l’objet par l’appareil, ou demandez à l’informatique d’élever la limite ; puis renvoyez-le.',
  storeOnly:
    'Réglez l’appareil pour n’envoyer des images que par C-STORE ; demandez au fabricant ce qu’il essaie d’autre.',
  nothing: 'Rien à faire. S’il manque des images, renvoyez-les.',
  network: 'Vérifiez le réseau entre l’appareil et ce boîtier, puis renvoyez l’examen.',
  scan: 'Trouvez ce qui, à cette adresse, ouvre des connexions sans rien dire : un scan de ports ou un appareil.',
  before: 'L’entrée précédente dit pourquoi elle a fini ; renvoyez ce qui manque.',
  report: 'Renvoyez. Si cela se répète, donnez ce code à l’informatique.',
  it: 'Appelez l’informatique et donnez ce code. Laissez le boîtier allumé ; renvoyez dès qu’il reçoit de nouveau.',
  sopClass:
    'S’il manque des images de cet appareil, demandez à l’informatique de mettre « unknownSopClasses » sur « accept » ; sinon demandez au fabricant.',
  broken:
    'Renvoyez l’objet. S’il est encore refusé, il est abîmé dans l’appareil : demandez au fabricant et donnez ce code.',
  vendorIf: 'Si l’appareil travaille comme il faut, rien à faire ; sinon demandez au fabricant.',
} as const;

/** Pourquoi quelque chose a été refusé, hors les raisons les plus fréquentes, et que faire. */
export const refusalCodes: Catalogue['codes'] = {
  'cause.PROTOCOL_VERSION':
    'L’appareil parle une version du protocole DICOM que cette passerelle ne connaît pas.',
  'cause.APPLICATION_CONTEXT': 'L’appareil demande une autre application que DICOM.',
  'cause.TOO_MANY_CONTEXTS':
    'L’appareil propose plus de contextes de présentation que cette passerelle ne doit en lire.',
  'do.TOO_MANY_CONTEXTS': next.fewer,
  'cause.TOO_MANY_TRANSFER_SYNTAXES':
    'L’appareil propose dans un contexte plus de syntaxes de transfert que cette passerelle ne doit en lire.',
  'do.TOO_MANY_TRANSFER_SYNTAXES': next.fewer,
  'cause.ASSOCIATIONS_FULL_PEER':
    'Cet appareil a trop d’associations ouvertes à la fois ; il doit réessayer plus tard.',
  'do.ASSOCIATIONS_FULL_PEER': next.parallel,
  'cause.FIRST_PDU_UNEXPECTED': 'Le premier message de la connexion n’était pas une demande d’association.',
  'do.FIRST_PDU_UNEXPECTED': next.vendor,
  'cause.PDU_UNEXPECTED': 'Un message est arrivé qui n’a pas sa place à ce moment de l’association.',
  'do.PDU_UNEXPECTED': next.vendor,
  'cause.PDU_UNRECOGNISED': 'Un message d’un type inconnu est arrivé.',
  'do.PDU_UNRECOGNISED': next.vendor,
  'cause.ASSOCIATE_TOO_LONG':
    'La demande d’association annonçait une longueur au-delà de la limite ; rien n’en a été lu.',
  'do.ASSOCIATE_TOO_LONG': next.fewer,
  'cause.PDU_TOO_LONG': 'Un message de l’appareil dépasse la limite ; rien n’en a été lu.',
  'do.PDU_TOO_LONG': next.pdu,
  'cause.PDU_INVALID': 'Un message se contredit : des longueurs ou des valeurs ne vont pas ensemble.',
  'do.PDU_INVALID': next.vendor,
  'cause.PDV_CONTEXT_UNKNOWN': 'Des données sont arrivées dans un contexte de présentation jamais accepté.',
  'do.PDV_CONTEXT_UNKNOWN': next.vendor,
  'cause.PDV_OUT_OF_ORDER': 'Des morceaux de commande et de données sont arrivés dans le mauvais ordre.',
  'do.PDV_OUT_OF_ORDER': next.vendor,
  'cause.COMMAND_TOO_LONG': 'Une commande de l’appareil est plus longue que nécessaire.',
  'do.COMMAND_TOO_LONG': next.vendor,
  'cause.COMMAND_INVALID': 'Une commande de l’appareil n’a pas pu être lue.',
  'do.COMMAND_INVALID': next.vendor,
  'cause.OBJECT_TOO_LARGE':
    'Un objet est plus grand que ce que cette passerelle accepte ; rien n’en a été gardé.',
  'do.OBJECT_TOO_LARGE': next.large,
  'cause.UNWANTED_DATA_TOO_LONG':
    'L’appareil a demandé un service qui n’existe pas ici, avec beaucoup trop de données.',
  'do.UNWANTED_DATA_TOO_LONG': next.storeOnly,
  'cause.IDLE_TIMEOUT':
    'L’appareil a laissé son association ouverte trop longtemps sans rien envoyer de complet.',
  'do.IDLE_TIMEOUT': next.nothing,
  'cause.TOO_SLOW': 'Un objet arrivait plus lentement que le débit minimal ; il n’a pas été enregistré.',
  'do.TOO_SLOW': next.network,
  'cause.STOPPING': 'La passerelle a été arrêtée pendant que l’association était ouverte.',
  'do.STOPPING': next.nothing,
  'cause.CONNECTIONS_FULL':
    'Trop de connexions sans association sont ouvertes ; celle-ci a été fermée aussitôt.',
  'do.CONNECTIONS_FULL': next.scan,
  'cause.CONNECTIONS_FULL_PEER':
    'Cette adresse a trop de connexions ouvertes sans association ; celle-ci a été fermée aussitôt.',
  'do.CONNECTIONS_FULL_PEER': next.scan,
  'cause.CONNECTION_NOT_CLOSED':
    'L’association était finie, mais l’appareil n’a pas fermé la connexion ; elle l’a été ici.',
  'do.CONNECTION_NOT_CLOSED': next.nothing,
  'cause.SENT_AFTER_END':
    'L’association était finie, mais l’appareil a continué d’envoyer ; la connexion a été fermée.',
  'do.SENT_AFTER_END': next.before,
  'cause.LEFT_WITHOUT_RELEASE': 'L’appareil est parti sans clore son association ; rien n’était en cours.',
  'do.LEFT_WITHOUT_RELEASE': next.nothing,
  'cause.INTAKE_INTERNAL': 'La passerelle a échoué pendant cette association.',
  'do.INTAKE_INTERNAL': next.report,
  'cause.SPOOL_OPENING': 'La passerelle vient de démarrer et parcourt encore ce qu’elle a.',
  'do.SPOOL_OPENING': next.nothing,
  'do.SPOOL_DISK_FULL': next.it,
  'do.SPOOL_VOLUME_MISSING': next.it,
  'do.SPOOL_SUSPECT': next.it,
  'cause.SPOOL_IO': 'Le disque a échoué pendant l’écriture de l’objet ; rien n’en a été gardé.',
  'do.SPOOL_IO': next.it,
  'cause.MESSAGE_ID_IN_USE': 'L’appareil a pris un seul numéro de message pour deux objets à la fois.',
  'do.MESSAGE_ID_IN_USE': next.vendor,
  'cause.SOP_CLASS_REFUSED':
    'L’objet est d’une classe qui n’est pas enregistrée ici, ou pas de celle convenue.',
  'do.SOP_CLASS_REFUSED': next.sopClass,
  'cause.ILLEGAL_INSTANCE_UID': 'L’appareil a nommé l’objet par autre chose qu’un UID valable.',
  'do.ILLEGAL_INSTANCE_UID': next.vendor,
  'cause.NO_DATA_SET': 'L’appareil a envoyé un objet sans données.',
  'do.NO_DATA_SET': next.vendor,
  'cause.UID_MISSING': 'L’objet ne dit pas de quelle instance ou classe il est.',
  'do.UID_MISSING': next.vendor,
  'cause.UID_MISMATCH': 'L’objet à l’intérieur n’est pas celui que l’appareil annonçait.',
  'do.UID_MISMATCH': next.vendor,
  'cause.STORE_FAILED': 'La passerelle a échoué en enregistrant l’objet ; rien n’en a été gardé.',
  'do.STORE_FAILED': next.report,
  'cause.DICOM_TRUNCATED': 'Le jeu de données finit au milieu d’un élément.',
  'do.DICOM_TRUNCATED': next.broken,
  'cause.DICOM_EMPTY': 'Le jeu de données est vide.',
  'do.DICOM_EMPTY': next.broken,
  'cause.DICOM_INNER_LENGTH': 'Une longueur intérieure dépasse sa séquence ou son item.',
  'do.DICOM_INNER_LENGTH': next.broken,
  'cause.DICOM_UNDEFINED_LENGTH': 'Une longueur indéfinie se trouve où il n’en faut pas.',
  'do.DICOM_UNDEFINED_LENGTH': next.broken,
  'cause.DICOM_NOT_AN_ITEM': 'Une séquence contient autre chose qu’un item.',
  'do.DICOM_NOT_AN_ITEM': next.broken,
  'cause.DICOM_STRAY_DELIMITER': 'Un item ou une fin se trouve hors d’une séquence.',
  'do.DICOM_STRAY_DELIMITER': next.broken,
  'cause.DICOM_TOO_DEEP': 'Des séquences sont imbriquées sur plus de 64 niveaux.',
  'do.DICOM_TOO_DEEP': next.broken,
  'cause.DICOM_NOT_DEFLATED': 'Le jeu de données compressé ne peut pas être décompressé.',
  'do.DICOM_NOT_DEFLATED': next.broken,
  'cause.DICOM_DEFLATE_TRUNCATED': 'Le jeu de données compressé finit trop tôt.',
  'do.DICOM_DEFLATE_TRUNCATED': next.broken,
  'cause.DICOM_INFLATES_TOO_FAR': 'Le jeu de données compressé devient démesuré une fois décompressé.',
  'do.DICOM_INFLATES_TOO_FAR': next.broken,
  'cause.DICOM_ILLEGAL_UID': 'Un UID du jeu de données n’est pas valable.',
  'do.DICOM_ILLEGAL_UID': next.broken,
  'cause.DICOM_AMBIGUOUS_UID': 'Le jeu de données a deux UID différents au même endroit.',
  'do.DICOM_AMBIGUOUS_UID': next.broken,
  'cause.SOP_CLASS_NOT_OFFERED':
    'L’appareil a proposé des types d’image privés ou nouveaux, que cette passerelle doit refuser.',
  'do.SOP_CLASS_NOT_OFFERED': next.sopClass,
  'cause.OPERATION_NOT_OFFERED':
    'L’appareil a demandé autre chose qu’enregistrer ou vérifier la connexion ; on lui a dit non.',
  'do.OPERATION_NOT_OFFERED': next.vendorIf,
};
