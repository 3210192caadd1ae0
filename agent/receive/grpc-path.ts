/** Of opentelemetry/proto/collector/trace/v1/trace_service.proto. */
export const EXPORT_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
