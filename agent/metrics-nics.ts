import { type KvPathRate, kvPathLabels } from "../core/kv-path.ts";
import { isNicEvent, nicEventLabel, type NicCounter } from "../core/nic.ts";
import type { NicReport, NodeReport } from "../wire/messages.ts";
import type { Labels, MetricFactory } from "./metrics-registry.ts";
import { createSeriesKeeper } from "./metrics-series.ts";

export interface NicMetrics {
  count(report: NodeReport): void;
  show(report: NodeReport): void;
}

/** RDMA ports, and the engines' KV bytes beside what the links carried. What is absent from the report has no series. */
export function createNicMetrics(factory: MetricFactory): NicMetrics {
  const linkUp = factory.gauge("fulcrum_rdma_link_up");
  const linkRate = factory.gauge("fulcrum_rdma_link_bytes_per_second");
  const received = factory.counter("fulcrum_rdma_receive_bytes_total");
  const transmitted = factory.counter("fulcrum_rdma_transmit_bytes_total");
  const events = factory.counter("fulcrum_rdma_events_total");
  const rates = factory.gauge("fulcrum_kv_path_bytes_per_second");
  const problems = factory.gauge("fulcrum_kv_path_problem");
  const keepers = [received, transmitted, events].map((counter) => ({ counter, keeper: createSeriesKeeper() }));

  const count = (index: 0 | 1 | 2, labels: Labels, amount: number): void => {
    keepers[index]?.counter.inc(labels, amount);
    keepers[index]?.keeper.touch(labels);
  };
  const counted = (port: Labels, name: NicCounter, amount: number): void => {
    if (isNicEvent(name)) count(2, { ...port, event: nicEventLabel(name) }, amount);
    else count(name === "receiveBytes" ? 0 : 1, port, amount);
  };

  return {
    count({ nics = [] }) {
      for (const nic of nics) {
        const labels = labelsOf(nic);
        // The names are the schema's own; Object.entries forgets them.
        for (const [name, amount] of Object.entries(nic.counters) as [NicCounter, number][]) counted(labels, name, amount);
      }
      for (const { counter, keeper } of keepers) for (const labels of keeper.expired()) counter.remove(labels);
    },
    show({ nics = [], kvPath }) {
      for (const gauge of [linkUp, linkRate, rates, problems]) gauge.reset();
      for (const nic of nics) {
        if (nic.up !== undefined) linkUp.set(labelsOf(nic), Number(nic.up));
        if (nic.linkBytesPerSecond !== undefined) linkRate.set(labelsOf(nic), nic.linkBytesPerSecond);
      }
      for (const [rate, value] of Object.entries(kvPath?.rates ?? {}) as [KvPathRate, number][]) rates.set(kvPathLabels(rate), value);
      for (const { problem, raised } of kvPath?.problems ?? []) problems.set({ problem }, Number(raised));
    },
  };
}

const labelsOf = ({ device, port, netdev = "" }: NicReport): Labels => ({ device, port: String(port), netdev });
