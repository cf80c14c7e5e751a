import type { Catalogue } from '../speech.ts';

/** What the tests of the line and of modalities say: `line.STEP.CODE`, `echo.CODE`, and what to do. */
export const testCodes: Catalogue['codes'] = {
  'line.NOT_REACHED': 'Pas essayé, car quelque chose avant a échoué.',
  'line.NOT_NEEDED': 'Pas nécessaire sur ce chemin.',
  'line.link.OK': 'Connecté.',
  'line.link.NO_LINK': 'Aucune carte réseau de ce boîtier n’a de liaison.',
  'line.link.NO_ADDRESS': 'Le câble est branché, mais ce boîtier n’a pas d’adresse IP.',
  'line.gateway.OK': 'Le chemin hors du réseau local est en place.',
  'line.gateway.NO_GATEWAY':
    'Pas de passerelle réseau : ce boîtier ne connaît aucun chemin hors de son réseau.',
  'line.gateway.GATEWAY_SILENT': 'La passerelle du réseau ne répond pas.',
  'line.dns.OK': 'Le nom est connu.',
  'line.dns.ENOTFOUND': 'Le nom n’est pas connu (DNS).',
  'line.dns': 'Le service de noms ne répond pas (DNS).',
  'line.proxy.OK': 'Le proxy laisse passer ce boîtier.',
  'line.proxy': 'Le passage par le proxy échoue.',
  'line.tls.OK': 'Connecté.',
  'line.tls.ISSUER_CHANGED': 'Chiffré, mais le certificat est maintenant signé par quelqu’un d’autre.',
  'line.tls.CERT_HAS_EXPIRED': 'Le certificat de l’archive a expiré.',
  'line.tls.CERT_NOT_YET_VALID': 'Le certificat n’est valable qu’à partir du :',
  'line.sign-in.OK': 'L’archive a répondu et accepte ce boîtier.',
  'line.clock.OK': 'Les horloges du boîtier et de l’archive concordent.',
  'line.clock.CLOCK_OFF': 'L’horloge du boîtier diffère de celle de l’archive.',
  'line.clock.CLOCK_WRONG': 'L’horloge du boîtier est fausse.',
  'line.mount.OK': 'Le dossier est là, avec son fichier marqueur.',
  'line.mount': 'Le dossier n’est pas utilisable.',
  'line.write.OK': 'Un petit fichier a été écrit, relu et effacé.',
  'line.write': 'Un petit fichier n’a pas pu y être écrit, relu ou effacé.',
  'do.line.link.NO_LINK': 'Vérifiez le câble aux deux bouts et le voyant près de la prise.',
  'do.line.link.NO_ADDRESS':
    'Demandez à l’informatique si le réseau attribue des adresses ici (DHCP), ou mettez-en une fixe.',
  'do.line.gateway.NO_GATEWAY': 'Demandez à l’informatique l’adresse de la passerelle (routeur).',
  'do.line.gateway.GATEWAY_SILENT':
    'Demandez à l’informatique si le routeur est allumé et si c’est encore son adresse.',
  'do.line.dns.ENOTFOUND':
    'Vérifiez le nom dans la configuration ; puis demandez à l’informatique si ses serveurs de noms peuvent résoudre des noms d’Internet.',
  'do.line.dns': 'Demandez à l’informatique si les serveurs de noms indiqués ici sont justes et en marche.',
  'do.line.proxy':
    'Appelez l’informatique : le proxy doit laisser passer ce boîtier vers l’archive ; son nom et son mot de passe doivent être justes ici.',
  'do.line.tls.ISSUER_CHANGED':
    'Si ce n’est pas la nouvelle autorité de l’archive, demandez à l’informatique si un pare-feu ouvre les connexions chiffrées.',
  'do.line.tls.CERT_HAS_EXPIRED':
    'Si la date est juste, appelez l’archive : elle doit renouveler son certificat. Sinon, réglez l’horloge du boîtier.',
  'do.line.tls.CERT_NOT_YET_VALID':
    'L’horloge du boîtier est sans doute fausse : réglez-la et donnez-lui un serveur de temps.',
  'do.line.tls.archive':
    'Comparez l’adresse et le port avec ceux donnés par l’archive ; s’ils sont justes, l’archive doit dire si elle fonctionne.',
  'do.line.tls.site-it': 'Corrigez le fichier ou le réglage cité ici.',
  'do.line.sign-in.site-it': 'Corrigez le fichier ou le réglage cité ici.',
  'do.line.sign-in.archive': 'Citez ce code à l’archive ; elle doit dire ce qui ne va pas chez elle.',
  'do.line.clock': 'Donnez un serveur de temps à ce boîtier, ou réglez son horloge.',
  'do.line.mount': 'Demandez à l’informatique si le stockage est allumé et monté sur ce boîtier.',
  'do.line.write':
    'Demandez à l’informatique : il faut de la place, et ce boîtier doit pouvoir écrire, lire et effacer dans ce dossier.',
  'do.line.tls.ETIMEDOUT':
    'Demandez à l’informatique si un pare-feu bloque cette adresse et ce port pour le boîtier.',
  'do.line.tls.UND_ERR_CONNECT_TIMEOUT':
    'Demandez à l’informatique si un pare-feu bloque cette adresse et ce port pour le boîtier.',
  'line.tls.DEPTH_ZERO_SELF_SIGNED_CERT':
    'Le certificat n’est pas reconnu ici. Quelqu’un entre les deux, comme un pare-feu, ouvre peut-être les connexions chiffrées. Signé par :',
  'do.line.tls.DEPTH_ZERO_SELF_SIGNED_CERT':
    'Demandez à l’informatique si l’autorité citée est la sienne. Si oui, l’archive doit en être exemptée ; si c’est celle de l’archive, mettez-la sous « caFile ».',
  'line.tls.SELF_SIGNED_CERT_IN_CHAIN':
    'Le certificat n’est pas reconnu ici. Quelqu’un entre les deux, comme un pare-feu, ouvre peut-être les connexions chiffrées. Signé par :',
  'do.line.tls.SELF_SIGNED_CERT_IN_CHAIN':
    'Demandez à l’informatique si l’autorité citée est la sienne. Si oui, l’archive doit en être exemptée ; si c’est celle de l’archive, mettez-la sous « caFile ».',
  'line.tls.UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    'Le certificat n’est pas reconnu ici. Quelqu’un entre les deux, comme un pare-feu, ouvre peut-être les connexions chiffrées. Signé par :',
  'do.line.tls.UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    'Demandez à l’informatique si l’autorité citée est la sienne. Si oui, l’archive doit en être exemptée ; si c’est celle de l’archive, mettez-la sous « caFile ».',
  'line.tls.UNABLE_TO_GET_ISSUER_CERT':
    'Le certificat n’est pas reconnu ici. Quelqu’un entre les deux, comme un pare-feu, ouvre peut-être les connexions chiffrées. Signé par :',
  'do.line.tls.UNABLE_TO_GET_ISSUER_CERT':
    'Demandez à l’informatique si l’autorité citée est la sienne. Si oui, l’archive doit en être exemptée ; si c’est celle de l’archive, mettez-la sous « caFile ».',
  'line.tls.UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    'Le certificat n’est pas reconnu ici. Quelqu’un entre les deux, comme un pare-feu, ouvre peut-être les connexions chiffrées. Signé par :',
  'do.line.tls.UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    'Demandez à l’informatique si l’autorité citée est la sienne. Si oui, l’archive doit en être exemptée ; si c’est celle de l’archive, mettez-la sous « caFile ».',
  'do.line.sign-in.HTTP_401':
    'L’archive doit dire si l’utilisateur, le jeton ou le certificat du boîtier sont encore valables et peuvent lire.',
  'do.line.sign-in.HTTP_403':
    'L’archive doit dire si l’utilisateur, le jeton ou le certificat du boîtier sont encore valables et peuvent lire.',
  'echo.EHOSTUNREACH': 'Il n’y a pas de chemin réseau vers l’appareil.',
  'do.echo.EHOSTUNREACH':
    'Vérifiez l’adresse indiquée ici pour lui, et le câble, le masque et la passerelle du boîtier.',
  'echo.ENETUNREACH': 'Il n’y a pas de chemin réseau vers l’appareil.',
  'do.echo.ENETUNREACH':
    'Vérifiez l’adresse indiquée ici pour lui, et le câble, le masque et la passerelle du boîtier.',
  'echo.ENOTFOUND': 'Le nom de l’appareil est introuvable (DNS).',
  'do.echo.ENOTFOUND': 'Prenez l’adresse IP de l’appareil, ou faites corriger le service de noms.',
  'echo.EAI_AGAIN': 'Le nom de l’appareil est introuvable (DNS).',
  'do.echo.EAI_AGAIN': 'Prenez l’adresse IP de l’appareil, ou faites corriger le service de noms.',
  'echo.ETIMEDOUT': 'Rien ne répond : l’appareil est éteint, ailleurs, ou un pare-feu bloque la connexion.',
  'do.echo.ETIMEDOUT':
    'Vérifiez que l’appareil est allumé et a cette adresse ; puis demandez à l’informatique s’il y a un pare-feu entre les deux.',
  'echo.UND_ERR_CONNECT_TIMEOUT':
    'Rien ne répond : l’appareil est éteint, ailleurs, ou un pare-feu bloque la connexion.',
  'do.echo.UND_ERR_CONNECT_TIMEOUT':
    'Vérifiez que l’appareil est allumé et a cette adresse ; puis demandez à l’informatique s’il y a un pare-feu entre les deux.',
  'echo.ANSWER_LATE': 'Quelque chose a pris la connexion sans répondre en DICOM.',
  'do.echo.ANSWER_LATE': 'Vérifiez le port : ce doit être le port DICOM de l’appareil.',
  'echo.DIMSE_PROTOCOL': 'Quelque chose a pris la connexion sans répondre en DICOM.',
  'do.echo.DIMSE_PROTOCOL': 'Vérifiez le port : ce doit être le port DICOM de l’appareil.',
  'echo.DIMSE_ABORTED': 'L’appareil a accepté la connexion puis l’a rompue.',
  'do.echo.DIMSE_ABORTED':
    'Réessayez dans une minute ; si cela persiste, redémarrez le service DICOM de l’appareil.',
  'echo.DIMSE_CLOSED': 'L’appareil a accepté la connexion puis l’a rompue.',
  'do.echo.DIMSE_CLOSED':
    'Réessayez dans une minute ; si cela persiste, redémarrez le service DICOM de l’appareil.',
  'echo.ECONNRESET': 'L’appareil a accepté la connexion puis l’a rompue.',
  'do.echo.ECONNRESET':
    'Réessayez dans une minute ; si cela persiste, redémarrez le service DICOM de l’appareil.',
  'echo.EPIPE': 'L’appareil a accepté la connexion puis l’a rompue.',
  'do.echo.EPIPE': 'Réessayez dans une minute ; si cela persiste, redémarrez le service DICOM de l’appareil.',
  'echo.ECONNREFUSED': 'L’appareil est là, mais rien n’écoute sur ce port (connexion refusée).',
  'do.echo.ECONNREFUSED': 'Démarrez le service DICOM de l’appareil, ou corrigez ici le port.',
  'echo.DIMSE_CALLED_AE': 'L’appareil dit que son titre AE n’est pas celui indiqué ici.',
  'do.echo.DIMSE_CALLED_AE': 'Corrigez ici le titre AE de la modalité ; majuscules et minuscules comptent.',
  'echo.DIMSE_CALLING_AE': 'L’appareil ne connaît pas le titre AE de ce boîtier.',
  'do.echo.DIMSE_CALLING_AE':
    'Ajoutez-le avec l’adresse du boîtier parmi les nœuds distants de l’appareil ; il est indiqué plus bas sur cette page.',
  'echo.DIMSE_REJECTED': 'L’appareil a refusé l’association sans dire quel titre AE est faux.',
  'do.echo.DIMSE_REJECTED':
    'Comparez les deux titres AE et les deux adresses sur l’appareil avec ceux d’ici.',
  'echo.DIMSE_BUSY': 'L’appareil n’accepte pas d’association pour l’instant : il est occupé.',
  'do.echo.DIMSE_BUSY': 'Attendez la fin de l’examen et réessayez.',
  'echo.ECHO_NOT_OFFERED':
    'L’appareil a accepté l’association mais n’offre pas C-ECHO : le réseau et les deux titres AE sont justes.',
  'do.echo.ECHO_NOT_OFFERED': 'Envoyez une image depuis l’appareil pour être sûr de l’autre sens.',
  'echo.ECHO_STATUS':
    'L’appareil a répondu au C-ECHO par une erreur : le réseau et les deux titres AE sont justes.',
  'do.echo.ECHO_STATUS': 'Regardez le journal de l’appareil, ou appelez son service.',
  'echo.ECHO_OK': 'L’appareil a répondu.',
  'test-study.equal':
    'L’archive a pris l’image de test, et ce qu’elle a rendu est identique octet par octet.',
  'test-study.changed': 'L’archive a pris l’image de test, et la rend avec d’autres octets que ceux envoyés.',
  'test-study.no': 'L’archive a dit avoir pris l’image de test, mais elle n’a pas pu être relue.',
  'test-study.refused': 'L’archive n’a pas pris l’image de test.',
  'test-study.stays':
    'Une image d’un examen reste dans l’archive, au nom de patient GANTRY^TEST et au numéro GANTRY-TEST. Ce boîtier ne l’efface pas : faites-la effacer là-bas quand elle ne sert plus.',
  'test-study.gone':
    'Très probablement rien ne reste dans l’archive ; pour en être sûr, cherchez-y le numéro de patient GANTRY-TEST.',
  'bundle.versions.json': 'Versions de Gantry, de Node.js et du système ; l’identité de ce boîtier.',
  'bundle.status.json': 'Tout ce que montre la page d’état.',
  'bundle.config.json': 'La configuration, sans noms d’utilisateur, secrets ni personnes.',
  'bundle.config-history.json': 'D’où vient la configuration.',
  'bundle.attempts.json': 'Les derniers essais de connexion des appareils, et les appelants inconnus.',
  'bundle.refusals.json': 'Ce qui a été refusé récemment, avec les raisons.',
  'bundle.queue.json': 'Combien attend et combien est mis de côté.',
  'bundle.parked.json':
    'Ce qui est retenu, refusé ou en conflit, sous nos propres identités, avec les raisons.',
  'bundle.disk.json': 'Place libre et totale, et ce qui ne va pas avec le disque.',
  'bundle.network.json': 'Adresses, passerelle, serveurs de noms et de temps, l’horloge.',
  'bundle.metrics.txt': 'Les chiffres que voit la surveillance.',
  'bundle.log.txt': 'Les dernières lignes du journal, au plus 2000.',
};
