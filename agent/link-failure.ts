import type { IncomingMessage } from "node:http";

/**
 * Alerts by which a TLS server refuses the client's certificate, by Node's code. With TLS 1.3 the handshake is over for the client by
 * then: they come with its first read.
 */
const CERTIFICATE_ALERTS: Readonly<Record<string, string>> = {
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "none was presented; set clientCert and clientKey",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "it does not know its CA",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "it has expired",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: "it was revoked",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: "it is not acceptable",
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: "it is not made for clients",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "it is broken",
};
const OF_CERTIFICATE = "the scaler refused our certificate: ";
const MAX_BODY = 500;

/** Why no connection came about, in words. */
export function failureCause(error: Error): string {
  const alert = "code" in error ? CERTIFICATE_ALERTS[String(error.code)] : undefined;
  return alert === undefined ? error.message : OF_CERTIFICATE + alert;
}

/** Why the scaler answered with a status instead of a link; it says what is wrong with a certificate, and nothing else. */
export function refusalCause(response: IncomingMessage, seconds: number, done: (cause: string) => void): void {
  let body = "";
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    body = (body + chunk).slice(0, MAX_BODY);
  });
  const timer = setTimeout(() => response.destroy(), seconds * 1000);
  // Destroyed before its end it is an error too, and what was said until then is all there is.
  response.on("error", () => undefined);
  response.on("close", () => {
    clearTimeout(timer);
    const { statusCode = 0 } = response;
    if (statusCode === 401 && body !== "") return done(OF_CERTIFICATE + body.trim());
    done(statusCode === 401 ? "the scaler refused our token, or that there is none (401)" : `the scaler answered ${statusCode}`);
  });
}
