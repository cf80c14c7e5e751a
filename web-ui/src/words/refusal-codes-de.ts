import type { Catalogue } from '../speech.ts';

const next = {
  vendor:
    'Kein Fehler von Netz oder Einstellungen: Fragen Sie den Hersteller des Geräts und nennen Sie diesen Code.',
  fewer:
    'Lassen Sie das Gerät weniger SOP-Klassen und Transfersyntaxen vorschlagen, oder bitten Sie die IT, die Grenze anzuheben.',
  parallel:
    'Stellen Sie im Gerät weniger gleichzeitige Assoziationen ein, oder bitten Sie die IT, die Grenze anzuheben.',
  pdu: 'Stellen Sie im Gerät die größte PDU auf 131072 oder weniger, oder bitten Sie die IT, die Grenze anzuheben.',
  large:
    'Lassen Sie das Gerät das Objekt teilen, oder bitten Sie die IT, die Grenze anzuheben; dann senden Sie es noch einmal.',
  storeOnly:
    'Stellen Sie das Gerät so ein, dass es Bilder nur mit C-STORE sendet; fragen Sie den Hersteller, was es sonst versucht.',
  nothing: 'Nichts zu tun. Fehlen Bilder, so senden Sie sie noch einmal.',
  network: 'Prüfen Sie das Netz zwischen Gerät und Box, dann senden Sie die Studie noch einmal.',
  scan: 'Finden Sie heraus, was von dieser Adresse Verbindungen öffnet und nichts sagt: ein Portscan oder ein Gerät.',
  before: 'Der Eintrag davor sagt, warum sie endete; senden Sie noch einmal, was fehlt.',
  report: 'Senden Sie noch einmal. Wiederholt es sich, so melden Sie diesen Code der IT.',
  it: 'Rufen Sie die IT an und nennen Sie diesen Code. Lassen Sie die Box an; senden Sie noch einmal, sobald sie wieder empfängt.',
  sopClass:
    'Fehlen Bilder dieses Geräts, so bitten Sie die IT, „unknownSopClasses“ auf „accept“ zu stellen; sonst fragen Sie den Hersteller.',
  broken:
    'Senden Sie das Objekt noch einmal. Wird es wieder abgelehnt, so ist es im Gerät beschädigt: Fragen Sie den Hersteller und nennen Sie diesen Code.',
  vendorIf: 'Arbeitet das Gerät, wie es soll, ist nichts zu tun; sonst fragen Sie den Hersteller.',
} as const;

/** Warum etwas abgewiesen wurde, was nicht bei den häufigsten Gründen steht, und was zu tun ist. */
export const refusalCodes: Catalogue['codes'] = {
  'cause.PROTOCOL_VERSION':
    'Das Gerät spricht eine Version des DICOM-Protokolls, die dieses Gateway nicht kennt.',
  'cause.APPLICATION_CONTEXT': 'Das Gerät verlangt eine andere Anwendung als DICOM.',
  'cause.TOO_MANY_CONTEXTS':
    'Das Gerät schlägt mehr Präsentationskontexte vor, als dieses Gateway lesen soll.',
  'do.TOO_MANY_CONTEXTS': next.fewer,
  'cause.TOO_MANY_TRANSFER_SYNTAXES':
    'Das Gerät schlägt in einem Kontext mehr Transfersyntaxen vor, als dieses Gateway lesen soll.',
  'do.TOO_MANY_TRANSFER_SYNTAXES': next.fewer,
  'cause.ASSOCIATIONS_FULL_PEER':
    'Dieses Gerät hat zu viele Assoziationen zugleich offen; es soll es später wieder versuchen.',
  'do.ASSOCIATIONS_FULL_PEER': next.parallel,
  'cause.FIRST_PDU_UNEXPECTED':
    'Die erste Nachricht der Verbindung war keine Anfrage nach einer Assoziation.',
  'do.FIRST_PDU_UNEXPECTED': next.vendor,
  'cause.PDU_UNEXPECTED': 'Es kam eine Nachricht, die an dieser Stelle der Assoziation nichts zu suchen hat.',
  'do.PDU_UNEXPECTED': next.vendor,
  'cause.PDU_UNRECOGNISED': 'Es kam eine Nachricht unbekannter Art.',
  'do.PDU_UNRECOGNISED': next.vendor,
  'cause.ASSOCIATE_TOO_LONG':
    'Die Anfrage nach einer Assoziation sollte länger sein als erlaubt; nichts davon wurde gelesen.',
  'do.ASSOCIATE_TOO_LONG': next.fewer,
  'cause.PDU_TOO_LONG': 'Eine Nachricht des Geräts ist länger als erlaubt; nichts davon wurde gelesen.',
  'do.PDU_TOO_LONG': next.pdu,
  'cause.PDU_INVALID': 'Eine Nachricht widerspricht sich: Längen oder Werte darin passen nicht zusammen.',
  'do.PDU_INVALID': next.vendor,
  'cause.PDV_CONTEXT_UNKNOWN': 'Es kamen Daten in einem Präsentationskontext, der nie angenommen wurde.',
  'do.PDV_CONTEXT_UNKNOWN': next.vendor,
  'cause.PDV_OUT_OF_ORDER': 'Stücke von Befehl und Daten kamen in falscher Reihenfolge.',
  'do.PDV_OUT_OF_ORDER': next.vendor,
  'cause.COMMAND_TOO_LONG': 'Ein Befehl des Geräts ist länger, als einer sein muss.',
  'do.COMMAND_TOO_LONG': next.vendor,
  'cause.COMMAND_INVALID': 'Ein Befehl des Geräts war nicht zu lesen.',
  'do.COMMAND_INVALID': next.vendor,
  'cause.OBJECT_TOO_LARGE': 'Ein Objekt ist größer, als dieses Gateway annimmt; nichts davon wurde behalten.',
  'do.OBJECT_TOO_LARGE': next.large,
  'cause.UNWANTED_DATA_TOO_LONG':
    'Das Gerät verlangte einen Dienst, den es hier nicht gibt, mit viel zu vielen Daten.',
  'do.UNWANTED_DATA_TOO_LONG': next.storeOnly,
  'cause.IDLE_TIMEOUT': 'Das Gerät ließ seine Assoziation zu lange offen, ohne etwas Ganzes zu senden.',
  'do.IDLE_TIMEOUT': next.nothing,
  'cause.TOO_SLOW': 'Ein Objekt kam langsamer als mit der Mindestrate; es wurde nicht gespeichert.',
  'do.TOO_SLOW': next.network,
  'cause.STOPPING': 'Das Gateway wurde beendet, während die Assoziation offen war.',
  'do.STOPPING': next.nothing,
  'cause.CONNECTIONS_FULL':
    'Zu viele Verbindungen ohne Assoziation sind offen; diese wurde gleich geschlossen.',
  'do.CONNECTIONS_FULL': next.scan,
  'cause.CONNECTIONS_FULL_PEER':
    'Diese Adresse hat zu viele Verbindungen ohne Assoziation offen; diese wurde gleich geschlossen.',
  'do.CONNECTIONS_FULL_PEER': next.scan,
  'cause.CONNECTION_NOT_CLOSED':
    'Die Assoziation war zu Ende, aber das Gerät schloss die Verbindung nicht; sie wurde hier geschlossen.',
  'do.CONNECTION_NOT_CLOSED': next.nothing,
  'cause.SENT_AFTER_END':
    'Die Assoziation war zu Ende, aber das Gerät sendete weiter; die Verbindung wurde geschlossen.',
  'do.SENT_AFTER_END': next.before,
  'cause.LEFT_WITHOUT_RELEASE': 'Das Gerät ging, ohne seine Assoziation zu beenden; nichts war unterwegs.',
  'do.LEFT_WITHOUT_RELEASE': next.nothing,
  'cause.INTAKE_INTERNAL': 'Das Gateway versagte bei dieser Assoziation.',
  'do.INTAKE_INTERNAL': next.report,
  'cause.SPOOL_OPENING': 'Das Gateway ist gerade gestartet und sieht noch durch, was es hat.',
  'do.SPOOL_OPENING': next.nothing,
  'do.SPOOL_DISK_FULL': next.it,
  'do.SPOOL_VOLUME_MISSING': next.it,
  'do.SPOOL_SUSPECT': next.it,
  'cause.SPOOL_IO': 'Die Platte versagte, während das Objekt geschrieben wurde; nichts davon wurde behalten.',
  'do.SPOOL_IO': next.it,
  'cause.MESSAGE_ID_IN_USE': 'Das Gerät nahm eine Nachrichtennummer für zwei Objekte zugleich.',
  'do.MESSAGE_ID_IN_USE': next.vendor,
  'cause.SOP_CLASS_REFUSED':
    'Das Objekt ist von einer Art, die hier nicht gespeichert wird, oder nicht von der vereinbarten.',
  'do.SOP_CLASS_REFUSED': next.sopClass,
  'cause.ILLEGAL_INSTANCE_UID': 'Das Gerät nannte das Objekt mit etwas, das keine gültige UID ist.',
  'do.ILLEGAL_INSTANCE_UID': next.vendor,
  'cause.NO_DATA_SET': 'Das Gerät sendete ein Objekt ohne Daten.',
  'do.NO_DATA_SET': next.vendor,
  'cause.UID_MISSING': 'Das Objekt sagt nicht, welche Instanz oder Klasse es ist.',
  'do.UID_MISSING': next.vendor,
  'cause.UID_MISMATCH': 'Das Objekt darin ist nicht das, welches das Gerät ankündigte.',
  'do.UID_MISMATCH': next.vendor,
  'cause.STORE_FAILED': 'Das Gateway versagte beim Speichern des Objekts; nichts davon wurde behalten.',
  'do.STORE_FAILED': next.report,
  'cause.DICOM_TRUNCATED': 'Der Datensatz endet mitten in einem Element.',
  'do.DICOM_TRUNCATED': next.broken,
  'cause.DICOM_EMPTY': 'Der Datensatz ist leer.',
  'do.DICOM_EMPTY': next.broken,
  'cause.DICOM_INNER_LENGTH': 'Eine innere Länge reicht über ihre Sequenz oder ihr Item hinaus.',
  'do.DICOM_INNER_LENGTH': next.broken,
  'cause.DICOM_UNDEFINED_LENGTH': 'Eine unbestimmte Länge steht, wo keine stehen darf.',
  'do.DICOM_UNDEFINED_LENGTH': next.broken,
  'cause.DICOM_NOT_AN_ITEM': 'Eine Sequenz enthält etwas, das kein Item ist.',
  'do.DICOM_NOT_AN_ITEM': next.broken,
  'cause.DICOM_STRAY_DELIMITER': 'Ein Item oder Ende steht außerhalb einer Sequenz.',
  'do.DICOM_STRAY_DELIMITER': next.broken,
  'cause.DICOM_TOO_DEEP': 'Sequenzen sind mehr als 64-fach verschachtelt.',
  'do.DICOM_TOO_DEEP': next.broken,
  'cause.DICOM_NOT_DEFLATED': 'Der gepackte Datensatz lässt sich nicht entpacken.',
  'do.DICOM_NOT_DEFLATED': next.broken,
  'cause.DICOM_DEFLATE_TRUNCATED': 'Der gepackte Datensatz endet zu früh.',
  'do.DICOM_DEFLATE_TRUNCATED': next.broken,
  'cause.DICOM_INFLATES_TOO_FAR': 'Der gepackte Datensatz wird entpackt über jedes Maß groß.',
  'do.DICOM_INFLATES_TOO_FAR': next.broken,
  'cause.DICOM_ILLEGAL_UID': 'Eine UID des Datensatzes ist keine gültige UID.',
  'do.DICOM_ILLEGAL_UID': next.broken,
  'cause.DICOM_AMBIGUOUS_UID': 'Der Datensatz hat an einer Stelle zwei verschiedene UIDs.',
  'do.DICOM_AMBIGUOUS_UID': next.broken,
  'cause.SOP_CLASS_NOT_OFFERED':
    'Das Gerät schlug private oder neue Bildarten vor, die dieses Gateway ablehnen soll.',
  'do.SOP_CLASS_NOT_OFFERED': next.sopClass,
  'cause.OPERATION_NOT_OFFERED':
    'Das Gerät verlangte etwas anderes als Speichern oder Prüfen der Verbindung; es bekam ein Nein.',
  'do.OPERATION_NOT_OFFERED': next.vendorIf,
};
