import type { Catalogue } from '../speech.ts';

/** TLS, certificates, a rejected configuration, signing in and who may: by code. */
export const accessCodes: Catalogue['codes'] = {
  'cause.NOT_TLS': 'Die ersten Bytes der Verbindung sind weder TLS noch DICOM.',
  'do.NOT_TLS': 'Prüfen Sie, welches Programm diesen Port anruft: Ein DICOM-Gerät ist es nicht.',
  'cause.TLS_VERSION_TOO_OLD': 'Das Gerät spricht nur Versionen von TLS, die nicht mehr sicher sind.',
  'do.TLS_VERSION_TOO_OLD':
    'Schalten Sie im Gerät TLS 1.2 oder 1.3 ein, oder lassen Sie es vom Hersteller aktualisieren.',
  'cause.TLS_NOTHING_SHARED': 'Das Gerät und dieses Gateway haben kein TLS-Verfahren gemeinsam.',
  'do.TLS_NOTHING_SHARED':
    'Erlauben Sie im Gerät ECDHE mit AES-GCM. Kennt es nur DHE, setzen Sie „profile“ auf „b12“; kennt es nur RSA-Zertifikate, geben Sie diesem Gateway eines.',
  'cause.TLS_SERVER_CERTIFICATE_REFUSED': 'Das Gerät nimmt das Zertifikat dieses Gateways nicht an.',
  'do.TLS_SERVER_CERTIFICATE_REFUSED':
    'Richten Sie das Zertifikat dieses Gateways, oder die Stelle, die es signiert hat, im Gerät ein, und prüfen Sie die Uhr des Geräts.',
  'cause.TLS_HANDSHAKE_BROKEN_OFF': 'Das Gerät brach die Verbindung beim Aushandeln von TLS ab.',
  'do.TLS_HANDSHAKE_BROKEN_OFF':
    'Meist nimmt es das Zertifikat dieses Gateways nicht an: Richten Sie es im Gerät ein, und sehen Sie dort nach dem Grund.',
  'cause.TLS_HANDSHAKE_TIMEOUT':
    'Eine Verbindung zum Port mit TLS wurde geöffnet, aber nicht rechtzeitig fertig ausgehandelt.',
  'do.TLS_HANDSHAKE_TIMEOUT':
    'Meist ein Portscan oder eine Überwachung. Ist es ein Gerät, prüfen Sie sein Netz.',
  'cause.TLS_HANDSHAKES_FULL':
    'Zu viele TLS-Verbindungen werden gerade ausgehandelt; diese wurde gleich geschlossen.',
  'do.TLS_HANDSHAKES_FULL':
    'Das Gerät versucht es wieder. Wiederholt es sich, suchen Sie ein Gerät, das sich verbindet und schweigt.',
  'cause.TLS_HANDSHAKE_FAILED': 'Was das Gerät sandte, ist kein gültiges TLS.',
  'do.TLS_HANDSHAKE_FAILED': 'Fragen Sie den Hersteller des Geräts und nennen Sie diesen Code.',
  'cause.TLS_CLIENT_CERTIFICATE_MISSING': 'Das Gerät rief mit TLS an, zeigte aber kein eigenes Zertifikat.',
  'do.TLS_CLIENT_CERTIFICATE_MISSING': 'Richten Sie im Gerät sein eigenes Zertifikat mit dem Schlüssel ein.',
  'cause.TLS_CLIENT_CERTIFICATE_EXPIRED': 'Das Zertifikat des Geräts ist abgelaufen.',
  'do.TLS_CLIENT_CERTIFICATE_EXPIRED':
    'Richten Sie im Gerät ein neues ein. Gilt es noch, stellen Sie die Uhr dieses Gateways richtig.',
  'cause.TLS_CLIENT_CERTIFICATE_EARLY': 'Das Zertifikat des Geräts gilt noch nicht.',
  'do.TLS_CLIENT_CERTIFICATE_EARLY':
    'Stellen Sie die Uhr dieses Gateways richtig; geht sie richtig, wurde das Zertifikat für später gemacht.',
  'cause.TLS_CLIENT_CERTIFICATE_WEAK':
    'Der Schlüssel im Zertifikat des Geräts ist zu kurz, um sicher zu sein.',
  'do.TLS_CLIENT_CERTIFICATE_WEAK':
    'Geben Sie dem Gerät ein Zertifikat mit RSA-Schlüssel ab 2048 Bit oder EC-Schlüssel ab 256 Bit.',
  'cause.TLS_CLIENT_CERTIFICATE_UNKNOWN':
    'Das Zertifikat des Geräts ist hier nicht bekannt, und keine Stelle, der hier vertraut wird, hat es signiert.',
  'do.TLS_CLIENT_CERTIFICATE_UNKNOWN':
    'Ist es das richtige, tragen Sie es bei dieser Modalität unter „certificate“ ein, oder seine Stelle unter „clientCaFile“.',
  'cause.TLS_CLIENT_CERTIFICATE_OTHER':
    'Das Zertifikat des Geräts ist keines von denen, an die dieser AE-Titel gebunden ist.',
  'do.TLS_CLIENT_CERTIFICATE_OTHER':
    'Ist es das richtige, tragen Sie es bei dieser Modalität unter „certificate“ ein; sonst finden Sie heraus, wer anruft.',
  'cause.TLS_PORT_TAKEN': 'Der Port für DICOM mit TLS lässt sich nicht öffnen.',
  'do.TLS_PORT_TAKEN':
    'Prüfen Sie, dass kein anderes Programm den Port benutzt und die Adresse die dieses Rechners ist. Es wird von selbst neu versucht.',
  'cause.TLS_FILE_UNREADABLE': 'Die Datei eines Zertifikats oder Schlüssels ist nicht zu lesen.',
  'do.TLS_FILE_UNREADABLE':
    'Rufen Sie die IT an: Die Datei muss da sein, und dieses Programm muss sie lesen dürfen. Sie wird von selbst neu angesehen.',
  'cause.TLS_FILE_INVALID': 'Eine Datei enthält kein Zertifikat oder keinen Schlüssel in PEM-Form.',
  'do.TLS_FILE_INVALID':
    'Rufen Sie die IT an: Dorthin gehört eine Datei in PEM-Form, der Schlüssel ohne Passwort.',
  'cause.TLS_KEY_MISMATCH': 'Der private Schlüssel gehört nicht zum Zertifikat.',
  'do.TLS_KEY_MISMATCH': 'Legen Sie Zertifikat und Schlüssel hin, die zusammengehören.',
  'cause.TLS_KEY_TOO_SHORT': 'Der Schlüssel des Zertifikats ist zu kurz, um sicher zu sein.',
  'do.TLS_KEY_TOO_SHORT':
    'Besorgen Sie ein Zertifikat mit RSA-Schlüssel ab 2048 Bit oder EC-Schlüssel ab 256 Bit.',
  'cause.TLS_CERTIFICATE_UNUSABLE': 'Das Zertifikat ist nicht zu gebrauchen.',
  'do.TLS_CERTIFICATE_UNUSABLE':
    'Besorgen Sie ein Zertifikat mit RSA-Schlüssel ab 2048 Bit, signiert mit SHA-256 oder besser.',
  'cause.WEB_HTTPS_PORT': 'Der Port für diese Seite über HTTPS lässt sich nicht öffnen.',
  'do.WEB_HTTPS_PORT':
    'Prüfen Sie, dass kein anderes Programm den Port benutzt. Es wird von selbst neu versucht.',
  'cause.CONFIG_INVALID':
    'Die geänderte Konfigurationsdatei ist nicht gültig; die bisherige bleibt in Gebrauch.',
  'do.CONFIG_INVALID': 'Berichtigen Sie die Datei; „gantry check-config“ sagt, wo sie falsch ist.',
  'cause.AUTH_WRONG': 'Name oder Passwort ist falsch.',
  'do.AUTH_WRONG':
    'Versuchen Sie es wieder; Groß- und Kleinschreibung zählt. Ein Admin kann ein neues Passwort setzen; „gantry auth reset“ an der Box macht einen neuen Admin.',
  'cause.AUTH_PASSWORD': 'Ihr bisheriges Passwort ist ein anderes.',
  'do.AUTH_PASSWORD':
    'Geben Sie das ein, mit dem Sie sich angemeldet haben; Groß- und Kleinschreibung zählt.',
  'cause.AUTH_SESSION_ENDED': 'Sie sind nicht mehr angemeldet.',
  'do.AUTH_SESSION_ENDED': 'Melden Sie sich wieder an.',
  'cause.AUTH_NEEDED': 'Dazu muss man angemeldet sein.',
  'do.AUTH_NEEDED': 'Melden Sie sich auf dieser Seite an.',
  'cause.AUTH_ROLE': 'Ihre Rolle darf das nicht.',
  'do.AUTH_ROLE': 'Bitten Sie einen Admin dieser Box, es zu tun oder Ihnen die Rolle zu geben.',
  'cause.AUTH_CSRF':
    'Dieser Anfrage fehlt der Nachweis, dass sie von der Seite kommt, auf der Sie sich angemeldet haben.',
  'do.AUTH_CSRF': 'Laden Sie die Seite neu und wiederholen Sie es.',
  'cause.AUTH_CODE_UNREADABLE': 'Das ist kein ganzer Technikercode.',
  'do.AUTH_CODE_UNREADABLE': 'Kopieren Sie ihn noch einmal, vom ersten bis zum letzten Zeichen.',
  'cause.AUTH_CODE_SIGNATURE': 'Dieser Code wurde mit einem Schlüssel gemacht, den diese Box nicht kennt.',
  'do.AUTH_CODE_SIGNATURE':
    'Bitten Sie die IT, den öffentlichen Schlüssel unter „access.technicianKeys“ einzutragen, oder lassen Sie auf der Box einen Code machen.',
  'cause.AUTH_CODE_BOX': 'Dieser Code wurde für eine andere Box gemacht.',
  'do.AUTH_CODE_BOX': 'Verlangen Sie einen für die Kennung dieser Box; diese Seite zeigt sie.',
  'cause.AUTH_CODE_EXPIRED': 'Dieser Code gilt nicht mehr: Er galt 8 Stunden.',
  'do.AUTH_CODE_EXPIRED': 'Verlangen Sie einen neuen, und prüfen Sie die Uhr dieser Box.',
  'cause.AUTH_CODE_EARLY': 'Dieser Code gilt noch nicht.',
  'do.AUTH_CODE_EARLY': 'Prüfen Sie die Uhr dieser Box.',
  'cause.SIGN_IN_LOCKED': 'Von diesem Gerät schlugen zu viele Anmeldungen fehl; diese wurde nicht angesehen.',
  'do.SIGN_IN_LOCKED':
    'Warten Sie einige Minuten und versuchen Sie es wieder. Wer das Passwort verloren hat, fragt einen Admin oder benutzt „gantry auth reset“ an der Box.',
  'cause.SIGN_IN_BUSY':
    'Von mehreren Geräten schlugen zu viele Anmeldungen fehl; diese wurde nicht angesehen. Vielleicht errät jemand Passwörter.',
  'do.SIGN_IN_BUSY':
    'Warten Sie einige Minuten, oder nehmen Sie ein Gerät, von dem Sie sich schon angemeldet haben.',
  'cause.PAIRING_CODE': 'Das ist nicht der Kopplungscode.',
  'do.PAIRING_CODE':
    'Lesen Sie ihn von der Konsole oder aus dem Protokoll der Box ab: eine Zeile mit „pairing code“. Nach zehn falschen gilt er nicht mehr.',
  'cause.PAIRING_CLOSED': 'Diese Box nimmt keinen Kopplungscode an.',
  'do.PAIRING_CLOSED':
    'Melden Sie sich an. Ist das Passwort verloren oder gibt es keinen Admin: „gantry auth reset“ an der Konsole der Box.',
  'cause.PAIRING_OVER':
    'Diese Box nimmt keinen Kopplungscode mehr an: Der von „gantry auth reset“ gilt eine Stunde.',
  'do.PAIRING_OVER':
    'Benutzen Sie „gantry auth reset“ an der Box noch einmal, und geben Sie den neuen Code binnen einer Stunde ein.',
  'cause.USER_PASSWORD':
    'Dieses Passwort ist zu leicht zu erraten: Es braucht 10 Zeichen oder mehr, nicht alle gleich, ohne den Namen.',
  'do.USER_PASSWORD': 'Nehmen Sie einige Wörter, die nur Sie zusammenstellen würden.',
  'cause.USER_EXISTS': 'Einen Benutzer dieses Namens gibt es schon.',
  'do.USER_EXISTS': 'Wählen Sie einen anderen Namen, oder ändern Sie jenen Benutzer.',
  'cause.USER_CONFIGURED': 'Dieser Benutzer steht in der Konfiguration.',
  'do.USER_CONFIGURED': 'Ändern Sie ihn dort, unter „users“.',
  'cause.USER_LAST_ADMIN': 'Das ist der einzige Admin dieser Box.',
  'do.USER_LAST_ADMIN': 'Machen Sie zuerst jemand anderen zum Admin.',
  'cause.ACCOUNT_MISSING': 'Diesen Benutzer, dieses Token oder diese Sitzung gibt es nicht.',
  'do.ACCOUNT_MISSING': 'Laden Sie die Liste neu.',
  'cause.ACCOUNT_TOO_MANY': 'Es gibt schon 100 davon.',
  'do.ACCOUNT_TOO_MANY': 'Entfernen Sie die, die niemand mehr benutzt.',
  'cause.ACCESS_DAMAGED':
    'Die Datei der Benutzer und Token ist beschädigt; nur Benutzer der Konfiguration können sich anmelden.',
  'do.ACCESS_DAMAGED':
    'Stellen Sie access/state aus einer Kopie wieder her und starten Sie neu, oder „gantry auth reset“: Es beginnt neu, mit niemandem.',
  'cause.AUDIT_NOT_WRITTEN': 'Was getan wurde, ließ sich nicht ins Audit-Protokoll schreiben.',
  'do.AUDIT_NOT_WRITTEN':
    'Prüfen Sie die Platte der Box. Es kann trotzdem geschehen sein: Sehen Sie nach, bevor Sie es wiederholen.',
  'verdict.TLS_CLOSED': 'Kein Empfang mit TLS: {cause}. Bilder, die ohne TLS kommen, werden empfangen.',
  'verdict.TLS_EXPIRED':
    'Das Zertifikat für DICOM mit TLS ist abgelaufen ({time}); Geräte senden vielleicht nicht mehr.',
  'verdict.TLS_EARLY':
    'Das Zertifikat für DICOM mit TLS gilt noch nicht (erst ab {time}); Geräte senden vielleicht nicht.',
  'verdict.TLS_FILES_REJECTED':
    'Ein geändertes Zertifikat für DICOM mit TLS wird nicht benutzt: {cause}. Das vorige bleibt.',
  'verdict.TLS_RENEW': 'Das Zertifikat für DICOM mit TLS läuft ab ({time}); bis dahin gilt es.',
  'verdict.CONFIG_REJECTED': '{cause}.',
  'do.TLS_EXPIRED':
    'Hat die Box es selbst gemacht: Entfernen Sie config/dicom-tls aus dem Datenverzeichnis, starten Sie das Gateway neu und richten Sie das neue in den Geräten ein. Sonst legen Sie ein neues mit Schlüssel an dieselbe Stelle; es wird von selbst übernommen.',
  'do.TLS_RENEW':
    'Hat die Box es selbst gemacht: Entfernen Sie config/dicom-tls aus dem Datenverzeichnis, starten Sie das Gateway neu und richten Sie das neue in den Geräten ein. Sonst legen Sie ein neues mit Schlüssel an dieselbe Stelle; es wird von selbst übernommen.',
  'do.TLS_EARLY':
    'Prüfen Sie das Datum dieser Box. Ist es richtig, braucht sie ein anderes Zertifikat: Rufen Sie die IT an.',
};
