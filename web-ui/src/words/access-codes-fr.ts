import type { Catalogue } from '../speech.ts';

/** TLS, certificates, a rejected configuration, signing in and who may: by code. */
export const accessCodes: Catalogue['codes'] = {
  'cause.NOT_TLS': 'Les premiers octets de la connexion ne sont ni du TLS ni du DICOM.',
  'do.NOT_TLS': 'Cherchez quel programme appelle ce port : ce n’est pas un appareil DICOM.',
  'cause.TLS_VERSION_TOO_OLD': 'L’appareil ne parle que des versions de TLS qui ne sont plus sûres.',
  'do.TLS_VERSION_TOO_OLD':
    'Activez TLS 1.2 ou 1.3 sur l’appareil, ou faites-le mettre à jour par le fabricant.',
  'cause.TLS_NOTHING_SHARED': 'L’appareil et cette passerelle n’ont aucun procédé TLS en commun.',
  'do.TLS_NOTHING_SHARED':
    'Autorisez ECDHE avec AES-GCM sur l’appareil. S’il ne connaît que DHE, mettez « profile » à « b12 » ; s’il ne connaît que les certificats RSA, donnez-en un à cette passerelle.',
  'cause.TLS_SERVER_CERTIFICATE_REFUSED': 'L’appareil n’accepte pas le certificat de cette passerelle.',
  'do.TLS_SERVER_CERTIFICATE_REFUSED':
    'Installez sur l’appareil le certificat de cette passerelle, ou l’autorité qui l’a signé, et vérifiez l’horloge de l’appareil.',
  'cause.TLS_HANDSHAKE_BROKEN_OFF': 'L’appareil a rompu la connexion pendant la négociation TLS.',
  'do.TLS_HANDSHAKE_BROKEN_OFF':
    'En général il n’accepte pas le certificat de cette passerelle : installez-le sur l’appareil et cherchez-y la raison.',
  'cause.TLS_HANDSHAKE_TIMEOUT':
    'Une connexion au port TLS a été ouverte, mais la négociation n’a pas été terminée à temps.',
  'do.TLS_HANDSHAKE_TIMEOUT':
    'En général un balayage de ports ou une surveillance. Si c’est un appareil, vérifiez son réseau.',
  'cause.TLS_HANDSHAKES_FULL':
    'Trop de négociations TLS sont en cours ; cette connexion a été fermée aussitôt.',
  'do.TLS_HANDSHAKES_FULL':
    'L’appareil réessaiera. Si cela se répète, cherchez un appareil qui se connecte et se tait.',
  'cause.TLS_HANDSHAKE_FAILED': 'Ce que l’appareil a envoyé n’est pas du TLS valide.',
  'do.TLS_HANDSHAKE_FAILED': 'Demandez au fabricant de l’appareil en citant ce code.',
  'cause.TLS_CLIENT_CERTIFICATE_MISSING': 'L’appareil a appelé avec TLS sans présenter de certificat.',
  'do.TLS_CLIENT_CERTIFICATE_MISSING': 'Installez sur l’appareil son propre certificat et sa clé.',
  'cause.TLS_CLIENT_CERTIFICATE_EXPIRED': 'Le certificat de l’appareil a expiré.',
  'do.TLS_CLIENT_CERTIFICATE_EXPIRED':
    'Installez-en un nouveau sur l’appareil. S’il est encore valable, mettez l’horloge de cette passerelle à l’heure.',
  'cause.TLS_CLIENT_CERTIFICATE_EARLY': 'Le certificat de l’appareil n’est pas encore valable.',
  'do.TLS_CLIENT_CERTIFICATE_EARLY':
    'Mettez l’horloge de cette passerelle à l’heure ; si elle l’est, le certificat a été fait pour plus tard.',
  'cause.TLS_CLIENT_CERTIFICATE_WEAK': 'La clé du certificat de l’appareil est trop courte pour être sûre.',
  'do.TLS_CLIENT_CERTIFICATE_WEAK':
    'Donnez à l’appareil un certificat à clé RSA d’au moins 2048 bits ou EC d’au moins 256.',
  'cause.TLS_CLIENT_CERTIFICATE_UNKNOWN':
    'Le certificat de l’appareil n’est ni connu ici ni signé par une autorité reconnue ici.',
  'do.TLS_CLIENT_CERTIFICATE_UNKNOWN':
    'Si c’est le bon, ajoutez-le sous « certificate » de cette modalité, ou son autorité à « clientCaFile ».',
  'cause.TLS_CLIENT_CERTIFICATE_OTHER':
    'Le certificat de l’appareil n’est pas un de ceux auxquels ce titre AE est lié.',
  'do.TLS_CLIENT_CERTIFICATE_OTHER':
    'Si c’est le bon, ajoutez-le sous « certificate » de cette modalité ; sinon cherchez qui appelle.',
  'cause.TLS_PORT_TAKEN': 'Le port DICOM TLS ne peut pas être ouvert.',
  'do.TLS_PORT_TAKEN':
    'Vérifiez qu’aucun autre programme n’utilise le port et que l’adresse est celle de cette machine. Un nouvel essai se fait de lui-même.',
  'cause.TLS_FILE_UNREADABLE': 'Le fichier d’un certificat ou d’une clé ne peut pas être lu.',
  'do.TLS_FILE_UNREADABLE':
    'Appelez l’informatique : le fichier doit être là et lisible par ce programme. Il est relu de lui-même.',
  'cause.TLS_FILE_INVALID': 'Un fichier ne contient pas de certificat ou de clé au format PEM.',
  'do.TLS_FILE_INVALID': 'Appelez l’informatique : il faut un fichier PEM, la clé sans mot de passe.',
  'cause.TLS_KEY_MISMATCH': 'La clé privée ne correspond pas au certificat.',
  'do.TLS_KEY_MISMATCH': 'Mettez le certificat et la clé qui vont ensemble.',
  'cause.TLS_KEY_TOO_SHORT': 'La clé du certificat est trop courte pour être sûre.',
  'do.TLS_KEY_TOO_SHORT': 'Procurez-vous un certificat à clé RSA d’au moins 2048 bits ou EC d’au moins 256.',
  'cause.TLS_CERTIFICATE_UNUSABLE': 'Le certificat n’est pas utilisable.',
  'do.TLS_CERTIFICATE_UNUSABLE':
    'Procurez-vous un certificat à clé RSA d’au moins 2048 bits, signé avec SHA-256 ou mieux.',
  'cause.WEB_HTTPS_PORT': 'Le port HTTPS de cette page ne peut pas être ouvert.',
  'do.WEB_HTTPS_PORT':
    'Vérifiez qu’aucun autre programme n’utilise le port. Un nouvel essai se fait de lui-même.',
  'cause.CONFIG_INVALID':
    'Le fichier de configuration modifié n’est pas valable ; la configuration en place reste utilisée.',
  'do.CONFIG_INVALID': 'Corrigez le fichier ; « gantry check-config » dit où est l’erreur.',
  'cause.AUTH_WRONG': 'Le nom ou le mot de passe est faux.',
  'do.AUTH_WRONG':
    'Réessayez ; majuscules et minuscules comptent. Un admin peut donner un nouveau mot de passe ; « gantry auth reset » sur le boîtier crée un nouvel admin.',
  'cause.AUTH_PASSWORD': 'Votre mot de passe actuel est un autre.',
  'do.AUTH_PASSWORD':
    'Saisissez celui avec lequel vous vous êtes connecté ; majuscules et minuscules comptent.',
  'cause.AUTH_SESSION_ENDED': 'Vous n’êtes plus connecté.',
  'do.AUTH_SESSION_ENDED': 'Reconnectez-vous.',
  'cause.AUTH_NEEDED': 'Il faut être connecté pour cela.',
  'do.AUTH_NEEDED': 'Connectez-vous sur cette page.',
  'cause.AUTH_ROLE': 'Votre rôle ne le permet pas.',
  'do.AUTH_ROLE': 'Demandez à un admin de ce boîtier de le faire, ou de vous donner ce rôle.',
  'cause.AUTH_CSRF': 'Cette demande ne prouve pas qu’elle vient de la page où vous êtes connecté.',
  'do.AUTH_CSRF': 'Rechargez la page et recommencez.',
  'cause.AUTH_CODE_UNREADABLE': 'Ce n’est pas un code de technicien entier.',
  'do.AUTH_CODE_UNREADABLE': 'Copiez-le à nouveau, du premier au dernier signe.',
  'cause.AUTH_CODE_SIGNATURE': 'Ce code a été fait avec une clé que ce boîtier ne connaît pas.',
  'do.AUTH_CODE_SIGNATURE':
    'Demandez à l’informatique d’ajouter la clé publique sous « access.technicianKeys », ou faites faire un code sur le boîtier.',
  'cause.AUTH_CODE_BOX': 'Ce code a été fait pour un autre boîtier.',
  'do.AUTH_CODE_BOX': 'Demandez-en un pour l’identifiant de ce boîtier ; cette page l’affiche.',
  'cause.AUTH_CODE_EXPIRED': 'Ce code n’est plus valable : il l’était 8 heures.',
  'do.AUTH_CODE_EXPIRED': 'Demandez-en un nouveau et vérifiez l’horloge de ce boîtier.',
  'cause.AUTH_CODE_EARLY': 'Ce code n’est pas encore valable.',
  'do.AUTH_CODE_EARLY': 'Vérifiez l’horloge de ce boîtier.',
  'cause.SIGN_IN_LOCKED':
    'Trop de connexions ont échoué depuis cet appareil ; celle-ci n’a pas été examinée.',
  'do.SIGN_IN_LOCKED':
    'Attendez quelques minutes et réessayez. Qui a perdu le mot de passe demande à un admin ou utilise « gantry auth reset » sur le boîtier.',
  'cause.SIGN_IN_BUSY':
    'Trop de connexions ont échoué depuis plusieurs appareils ; celle-ci n’a pas été examinée. Quelqu’un devine peut-être des mots de passe.',
  'do.SIGN_IN_BUSY':
    'Attendez quelques minutes, ou prenez un appareil depuis lequel vous vous êtes déjà connecté.',
  'cause.PAIRING_CODE': 'Ce n’est pas le code d’appairage.',
  'do.PAIRING_CODE':
    'Lisez-le à la console ou dans le journal du boîtier : une ligne avec « pairing code ». Après dix essais faux, il n’est plus valable.',
  'cause.PAIRING_CLOSED': 'Ce boîtier n’accepte pas de code d’appairage.',
  'do.PAIRING_CLOSED':
    'Connectez-vous. Mot de passe perdu ou pas d’admin : « gantry auth reset » à la console du boîtier.',
  'cause.PAIRING_OVER':
    'Ce boîtier n’accepte plus de code d’appairage : celui de « gantry auth reset » vaut une heure.',
  'do.PAIRING_OVER':
    'Utilisez à nouveau « gantry auth reset » sur le boîtier et saisissez le nouveau code dans l’heure.',
  'cause.USER_PASSWORD':
    'Ce mot de passe est trop facile à deviner : il faut 10 caractères ou plus, pas tous pareils, sans le nom.',
  'do.USER_PASSWORD': 'Prenez quelques mots que vous seul mettriez ensemble.',
  'cause.USER_EXISTS': 'Il y a déjà un utilisateur de ce nom.',
  'do.USER_EXISTS': 'Choisissez un autre nom, ou modifiez cet utilisateur.',
  'cause.USER_CONFIGURED': 'Cet utilisateur vient de la configuration.',
  'do.USER_CONFIGURED': 'Modifiez-le là, sous « users ».',
  'cause.USER_LAST_ADMIN': 'C’est le seul admin de ce boîtier.',
  'do.USER_LAST_ADMIN': 'Faites d’abord un autre admin.',
  'cause.ACCOUNT_MISSING': 'Cet utilisateur, ce jeton ou cette session n’existe pas.',
  'do.ACCOUNT_MISSING': 'Rechargez la liste.',
  'cause.ACCOUNT_TOO_MANY': 'Il y en a déjà 100.',
  'do.ACCOUNT_TOO_MANY': 'Supprimez ceux que personne n’utilise plus.',
  'cause.ACCESS_DAMAGED':
    'Le fichier des utilisateurs et des jetons est endommagé ; seuls ceux de la configuration peuvent se connecter.',
  'do.ACCESS_DAMAGED':
    'Restaurez access/state d’une copie et redémarrez, ou « gantry auth reset » : tout recommence, sans personne.',
  'cause.AUDIT_NOT_WRITTEN': 'Ce qui a été fait n’a pas pu être écrit dans le journal d’audit.',
  'do.AUDIT_NOT_WRITTEN':
    'Vérifiez le disque du boîtier. C’est peut-être fait malgré tout : regardez avant de recommencer.',
  'verdict.TLS_CLOSED': 'Pas de réception en TLS : {cause}. Les images envoyées sans TLS sont reçues.',
  'verdict.TLS_EXPIRED':
    'Le certificat DICOM TLS a expiré ({time}) ; des appareils peuvent refuser d’envoyer.',
  'verdict.TLS_EARLY':
    'Le certificat DICOM TLS n’est pas encore valable (à partir de {time}) ; des appareils peuvent refuser d’envoyer.',
  'verdict.TLS_FILES_REJECTED':
    'Un certificat DICOM TLS modifié n’est pas utilisé : {cause}. Le précédent reste.',
  'verdict.TLS_RENEW': 'Le certificat DICOM TLS prend fin ({time}) ; il est valable jusque-là.',
  'verdict.CONFIG_REJECTED': '{cause}.',
  'do.TLS_EXPIRED':
    'Si le boîtier l’a fait lui-même : supprimez config/dicom-tls du répertoire de données, redémarrez la passerelle et installez le nouveau sur les appareils. Sinon, mettez-en un nouveau avec sa clé au même endroit ; il est repris de lui-même.',
  'do.TLS_RENEW':
    'Si le boîtier l’a fait lui-même : supprimez config/dicom-tls du répertoire de données, redémarrez la passerelle et installez le nouveau sur les appareils. Sinon, mettez-en un nouveau avec sa clé au même endroit ; il est repris de lui-même.',
  'do.TLS_EARLY':
    'Vérifiez la date de ce boîtier. Si elle est juste, il faut un autre certificat : appelez l’informatique.',
};
