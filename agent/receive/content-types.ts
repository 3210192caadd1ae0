/** The two encodings of OTLP. */
export const PROTOBUF = "application/x-protobuf";
export const JSON_TYPE = "application/json";
