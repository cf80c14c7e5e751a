import type { Catalogue } from '../speech.ts';

/** What the tests of the line and of modalities say: `line.STEP.CODE`, `echo.CODE`, and what to do. */
export const testCodes: Catalogue['codes'] = {
  'line.NOT_REACHED': 'Nicht geprüft, da vorher etwas fehlschlug.',
  'line.NOT_NEEDED': 'Auf diesem Weg nicht nötig.',
  'line.link.OK': 'Verbunden.',
  'line.link.NO_LINK': 'Keine Netzkarte dieser Box hat eine Verbindung.',
  'line.link.NO_ADDRESS': 'Das Netzkabel steckt, aber diese Box hat keine IP-Adresse.',
  'line.gateway.OK': 'Der Weg aus dem eigenen Netz ist gesetzt.',
  'line.gateway.NO_GATEWAY': 'Kein Gateway gesetzt: Diese Box kennt keinen Weg aus ihrem Netz.',
  'line.gateway.GATEWAY_SILENT': 'Das Gateway des Netzes antwortet nicht.',
  'line.dns.OK': 'Der Name ist bekannt.',
  'line.dns.ENOTFOUND': 'Der Name ist nicht bekannt (DNS).',
  'line.dns': 'Der Namensdienst antwortet nicht (DNS).',
  'line.proxy.OK': 'Der Proxy lässt diese Box durch.',
  'line.proxy': 'Durch den Proxy geht es nicht.',
  'line.tls.OK': 'Verbunden.',
  'line.tls.ISSUER_CHANGED': 'Verschlüsselt, aber das Zertifikat hat jetzt jemand anderes signiert.',
  'line.tls.CERT_HAS_EXPIRED': 'Das Zertifikat des Archivs ist abgelaufen.',
  'line.tls.CERT_NOT_YET_VALID': 'Das Zertifikat gilt erst ab:',
  'line.sign-in.OK': 'Das Archiv hat geantwortet und nimmt diese Box an.',
  'line.clock.OK': 'Die Uhren dieser Box und des Archivs stimmen überein.',
  'line.clock.CLOCK_OFF': 'Die Uhr dieser Box weicht von der des Archivs ab.',
  'line.clock.CLOCK_WRONG': 'Die Uhr dieser Box geht falsch.',
  'line.mount.OK': 'Der Ordner ist da, mit seiner Markierungsdatei.',
  'line.mount': 'Der Ordner ist nicht zu benutzen.',
  'line.write.OK': 'Eine kleine Datei wurde geschrieben, gelesen und gelöscht.',
  'line.write': 'Eine kleine Datei ließ sich dort nicht schreiben, lesen oder löschen.',
  'do.line.link.NO_LINK':
    'Prüfen Sie das Netzkabel an beiden Enden und ob die Lampe neben der Buchse leuchtet.',
  'do.line.link.NO_ADDRESS':
    'Fragen Sie die IT, ob das Netz hier Adressen vergibt (DHCP), oder setzen Sie eine feste.',
  'do.line.gateway.NO_GATEWAY': 'Fragen Sie die IT nach der Adresse des Gateways (Router).',
  'do.line.gateway.GATEWAY_SILENT': 'Fragen Sie die IT, ob der Router an ist und das noch seine Adresse ist.',
  'do.line.dns.ENOTFOUND':
    'Prüfen Sie den Namen in der Konfiguration; dann fragen Sie die IT, ob ihre Namensserver Namen des Internets auflösen dürfen.',
  'do.line.dns': 'Fragen Sie die IT, ob die hier gesetzten Namensserver richtig sind und laufen.',
  'do.line.proxy':
    'Rufen Sie die IT an: Der Proxy muss diese Box zum Archiv durchlassen; Name und Passwort für ihn müssen hier stimmen.',
  'do.line.tls.ISSUER_CHANGED':
    'Ist das nicht die neue Stelle des Archivs, fragen Sie die IT, ob eine Firewall verschlüsselte Verbindungen öffnet.',
  'do.line.tls.CERT_HAS_EXPIRED':
    'Stimmt das Datum, rufen Sie das Archiv an: Es muss sein Zertifikat erneuern. Sonst stellen Sie die Uhr dieser Box.',
  'do.line.tls.CERT_NOT_YET_VALID':
    'Die Uhr dieser Box geht wohl falsch: Stellen Sie sie und geben Sie der Box einen Zeitserver.',
  'do.line.tls.archive':
    'Vergleichen Sie Adresse und Port mit denen, die das Archiv genannt hat; stimmen sie, muss das Archiv sagen, ob es läuft.',
  'do.line.tls.site-it': 'Berichtigen Sie die Datei oder Einstellung, die hier genannt ist.',
  'do.line.sign-in.site-it': 'Berichtigen Sie die Datei oder Einstellung, die hier genannt ist.',
  'do.line.sign-in.archive': 'Nennen Sie dem Archiv diesen Code; es muss sagen, was bei ihm nicht stimmt.',
  'do.line.clock': 'Geben Sie dieser Box einen Zeitserver, oder stellen Sie ihre Uhr.',
  'do.line.mount': 'Fragen Sie die IT, ob der Speicher an ist und auf dieser Box eingehängt.',
  'do.line.write':
    'Fragen Sie die IT: Dort muss Platz sein, und diese Box muss in dem Ordner schreiben, lesen und löschen dürfen.',
  'do.line.tls.ETIMEDOUT':
    'Fragen Sie die IT, ob eine Firewall diese Adresse und diesen Port für die Box sperrt.',
  'do.line.tls.UND_ERR_CONNECT_TIMEOUT':
    'Fragen Sie die IT, ob eine Firewall diese Adresse und diesen Port für die Box sperrt.',
  'line.tls.DEPTH_ZERO_SELF_SIGNED_CERT':
    'Dem Zertifikat wird hier nicht vertraut. Jemand dazwischen, etwa eine Firewall, öffnet vielleicht verschlüsselte Verbindungen. Signiert von:',
  'do.line.tls.DEPTH_ZERO_SELF_SIGNED_CERT':
    'Fragen Sie die IT, ob die genannte Stelle ihre ist. Wenn ja, muss das Archiv davon ausgenommen werden; ist es die eigene des Archivs, gehört sie unter „caFile“.',
  'line.tls.SELF_SIGNED_CERT_IN_CHAIN':
    'Dem Zertifikat wird hier nicht vertraut. Jemand dazwischen, etwa eine Firewall, öffnet vielleicht verschlüsselte Verbindungen. Signiert von:',
  'do.line.tls.SELF_SIGNED_CERT_IN_CHAIN':
    'Fragen Sie die IT, ob die genannte Stelle ihre ist. Wenn ja, muss das Archiv davon ausgenommen werden; ist es die eigene des Archivs, gehört sie unter „caFile“.',
  'line.tls.UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    'Dem Zertifikat wird hier nicht vertraut. Jemand dazwischen, etwa eine Firewall, öffnet vielleicht verschlüsselte Verbindungen. Signiert von:',
  'do.line.tls.UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    'Fragen Sie die IT, ob die genannte Stelle ihre ist. Wenn ja, muss das Archiv davon ausgenommen werden; ist es die eigene des Archivs, gehört sie unter „caFile“.',
  'line.tls.UNABLE_TO_GET_ISSUER_CERT':
    'Dem Zertifikat wird hier nicht vertraut. Jemand dazwischen, etwa eine Firewall, öffnet vielleicht verschlüsselte Verbindungen. Signiert von:',
  'do.line.tls.UNABLE_TO_GET_ISSUER_CERT':
    'Fragen Sie die IT, ob die genannte Stelle ihre ist. Wenn ja, muss das Archiv davon ausgenommen werden; ist es die eigene des Archivs, gehört sie unter „caFile“.',
  'line.tls.UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    'Dem Zertifikat wird hier nicht vertraut. Jemand dazwischen, etwa eine Firewall, öffnet vielleicht verschlüsselte Verbindungen. Signiert von:',
  'do.line.tls.UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    'Fragen Sie die IT, ob die genannte Stelle ihre ist. Wenn ja, muss das Archiv davon ausgenommen werden; ist es die eigene des Archivs, gehört sie unter „caFile“.',
  'do.line.sign-in.HTTP_401':
    'Das Archiv muss sagen, ob Benutzer, Token oder Zertifikat dieser Box noch gelten und lesen dürfen.',
  'do.line.sign-in.HTTP_403':
    'Das Archiv muss sagen, ob Benutzer, Token oder Zertifikat dieser Box noch gelten und lesen dürfen.',
  'echo.EHOSTUNREACH': 'Es gibt keinen Netzweg zum Gerät.',
  'do.echo.EHOSTUNREACH':
    'Prüfen Sie die Adresse, die hier für es steht, und Netzkabel, Netzmaske und Gateway dieser Box.',
  'echo.ENETUNREACH': 'Es gibt keinen Netzweg zum Gerät.',
  'do.echo.ENETUNREACH':
    'Prüfen Sie die Adresse, die hier für es steht, und Netzkabel, Netzmaske und Gateway dieser Box.',
  'echo.ENOTFOUND': 'Der Name des Geräts ist nicht zu finden (DNS).',
  'do.echo.ENOTFOUND':
    'Nehmen Sie die IP-Adresse des Geräts, oder lassen Sie die IT den Namensdienst berichtigen.',
  'echo.EAI_AGAIN': 'Der Name des Geräts ist nicht zu finden (DNS).',
  'do.echo.EAI_AGAIN':
    'Nehmen Sie die IP-Adresse des Geräts, oder lassen Sie die IT den Namensdienst berichtigen.',
  'echo.ETIMEDOUT':
    'Dort antwortet nichts: Das Gerät ist aus, woanders, oder eine Firewall verwirft die Verbindung.',
  'do.echo.ETIMEDOUT':
    'Prüfen Sie, ob das Gerät an ist und diese Adresse hat; dann fragen Sie die IT nach einer Firewall dazwischen.',
  'echo.UND_ERR_CONNECT_TIMEOUT':
    'Dort antwortet nichts: Das Gerät ist aus, woanders, oder eine Firewall verwirft die Verbindung.',
  'do.echo.UND_ERR_CONNECT_TIMEOUT':
    'Prüfen Sie, ob das Gerät an ist und diese Adresse hat; dann fragen Sie die IT nach einer Firewall dazwischen.',
  'echo.ANSWER_LATE': 'Etwas nahm die Verbindung an, antwortete aber nicht als DICOM.',
  'do.echo.ANSWER_LATE': 'Prüfen Sie den Port: Es muss der DICOM-Port des Geräts sein.',
  'echo.DIMSE_PROTOCOL': 'Etwas nahm die Verbindung an, antwortete aber nicht als DICOM.',
  'do.echo.DIMSE_PROTOCOL': 'Prüfen Sie den Port: Es muss der DICOM-Port des Geräts sein.',
  'echo.DIMSE_ABORTED': 'Das Gerät nahm die Verbindung an und brach sie ab.',
  'do.echo.DIMSE_ABORTED':
    'Versuchen Sie es in einer Minute wieder; bleibt es so, starten Sie den DICOM-Dienst des Geräts neu.',
  'echo.DIMSE_CLOSED': 'Das Gerät nahm die Verbindung an und brach sie ab.',
  'do.echo.DIMSE_CLOSED':
    'Versuchen Sie es in einer Minute wieder; bleibt es so, starten Sie den DICOM-Dienst des Geräts neu.',
  'echo.ECONNRESET': 'Das Gerät nahm die Verbindung an und brach sie ab.',
  'do.echo.ECONNRESET':
    'Versuchen Sie es in einer Minute wieder; bleibt es so, starten Sie den DICOM-Dienst des Geräts neu.',
  'echo.EPIPE': 'Das Gerät nahm die Verbindung an und brach sie ab.',
  'do.echo.EPIPE':
    'Versuchen Sie es in einer Minute wieder; bleibt es so, starten Sie den DICOM-Dienst des Geräts neu.',
  'echo.ECONNREFUSED': 'Das Gerät ist da, aber auf diesem Port hört niemand (Verbindung abgelehnt).',
  'do.echo.ECONNREFUSED': 'Starten Sie den DICOM-Dienst des Geräts, oder berichtigen Sie hier den Port.',
  'echo.DIMSE_CALLED_AE': 'Das Gerät sagt, dass sein AE-Titel ein anderer ist als der hier.',
  'do.echo.DIMSE_CALLED_AE':
    'Berichtigen Sie hier den AE-Titel der Modalität; Groß- und Kleinschreibung zählt.',
  'echo.DIMSE_CALLING_AE': 'Das Gerät kennt den AE-Titel dieser Box nicht.',
  'do.echo.DIMSE_CALLING_AE':
    'Tragen Sie ihn im Gerät mit der Adresse dieser Box bei den Gegenstellen ein; er steht unter „In die Modalität eintippen“.',
  'echo.DIMSE_REJECTED':
    'Das Gerät lehnte die Assoziation endgültig ab, ohne zu sagen, welcher AE-Titel falsch ist.',
  'do.echo.DIMSE_REJECTED': 'Vergleichen Sie beide AE-Titel und beide Adressen im Gerät mit denen hier.',
  'echo.DIMSE_BUSY': 'Das Gerät nimmt gerade keine Assoziation an: Es ist beschäftigt.',
  'do.echo.DIMSE_BUSY': 'Warten Sie das Ende der Untersuchung ab und versuchen Sie es wieder.',
  'echo.ECHO_NOT_OFFERED':
    'Das Gerät nahm die Assoziation an, bietet aber kein C-ECHO: Netz und beide AE-Titel stimmen.',
  'do.echo.ECHO_NOT_OFFERED': 'Senden Sie vom Gerät ein Bild, um der anderen Richtung sicher zu sein.',
  'echo.ECHO_STATUS': 'Das Gerät beantwortete das C-ECHO mit einem Fehler: Netz und beide AE-Titel stimmen.',
  'do.echo.ECHO_STATUS': 'Sehen Sie ins Protokoll des Geräts, oder rufen Sie seinen Service an.',
  'echo.ECHO_OK': 'Das Gerät hat geantwortet.',
  'test-study.equal': 'Das Archiv nahm das Testbild an, und was es zurückgab, ist Byte für Byte gleich.',
  'test-study.changed':
    'Das Archiv nahm das Testbild an und gibt es mit anderen Bytes zurück, als gesendet wurden.',
  'test-study.no': 'Das Archiv sagte, es habe das Testbild angenommen, aber es ließ sich nicht zurücklesen.',
  'test-study.refused': 'Das Archiv nahm das Testbild nicht an.',
  'test-study.stays':
    'Ein Bild einer Studie bleibt im Archiv, mit dem Patientennamen GANTRY^TEST und der Patientennummer GANTRY-TEST. Diese Box löscht es nicht: Lassen Sie es dort löschen, wenn es nicht mehr gebraucht wird.',
  'test-study.gone':
    'Höchstwahrscheinlich bleibt nichts im Archiv; um sicher zu sein, suchen Sie dort nach der Patientennummer GANTRY-TEST.',
  'bundle.versions.json': 'Versionen von Gantry, Node.js und dem System; die Kennung dieser Box.',
  'bundle.status.json': 'Alles, was die Statusseite zeigt.',
  'bundle.config.json': 'Die Konfiguration, ohne Benutzernamen, Geheimnisse und Personen.',
  'bundle.config-history.json': 'Woher die Konfiguration kam.',
  'bundle.attempts.json': 'Die letzten Versuche von Geräten, sich zu verbinden, und unbekannte Anrufer.',
  'bundle.refusals.json': 'Was kürzlich abgewiesen wurde, mit den Gründen.',
  'bundle.queue.json': 'Wie viel wartet und wie viel beiseitegelegt ist.',
  'bundle.parked.json':
    'Was zurückgehalten, abgelehnt oder im Konflikt ist, unter unseren eigenen Kennungen, mit den Gründen.',
  'bundle.disk.json': 'Freier und ganzer Platz, und was an der Platte nicht stimmt.',
  'bundle.network.json': 'Adressen, Gateway, Namens- und Zeitserver, die Uhr.',
  'bundle.metrics.txt': 'Die Zahlen, die eine Überwachung sieht.',
  'bundle.log.txt': 'Die letzten Zeilen des Protokolls, höchstens 2000.',
};
