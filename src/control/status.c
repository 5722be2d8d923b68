/* The counters as JSON.  Runs on the control thread, on copies. */
#include "control/status.h"

#include <inttypes.h>

void status_add(struct status *s, const struct home_stats *stats, uint64_t connections)
{
	struct home_stats *sum = &s->loops;
	s->connections += connections;
	sum->accepted += stats->accepted;
	sum->refused += stats->refused;
	sum->requests += stats->requests;
	sum->bytes_out += stats->bytes_out;
	sum->bytes_in += stats->bytes_in;
	sum->shed += stats->shed;
	for (size_t i = 0; i < sizeof sum->by_class / sizeof *sum->by_class; i++)
		sum->by_class[i] += stats->by_class[i];
}

static void print_loops(struct buf *out, const struct status *s)
{
	const struct home_stats *l = &s->loops;
	buf_addf(out,
	         "\"connections\":{\"open\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"refused\":%" PRIu64 "},\n"
	         "\"requests\":{\"all\":%" PRIu64 ",\"shed\":%" PRIu64 ",\"unanswered\":%" PRIu64 ",\"1xx\":%" PRIu64
	         ",\"2xx\":%" PRIu64 ",\"3xx\":%" PRIu64 ",\"4xx\":%" PRIu64 ",\"5xx\":%" PRIu64 "},\n"
	         "\"bytes\":{\"in\":%" PRIu64 ",\"out\":%" PRIu64 "},\n",
	         s->connections, l->accepted, l->refused, l->requests, l->shed, l->by_class[0], l->by_class[1],
	         l->by_class[2], l->by_class[3], l->by_class[4], l->by_class[5], l->bytes_in, l->bytes_out);
}

void status_print(struct buf *out, const struct status *s, struct store *hot, const struct disk *disk,
                  const struct log *log)
{
	struct store_stats h = store_stats(hot);
	struct disk_stats d = disk_stats(disk);
	struct log_stats l = log_stats(log);
	buf_addf(out, "{\"version\":\"%s\",\"configuration\":{\"generation\":%u,\"snapshots\":%zu},\n", PETREL_VERSION,
	         s->generation, s->snapshots);
	print_loops(out, s);
	buf_addf(out,
	         "\"hot\":{\"objects\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"bound\":%" PRIu64 ",\"hits\":%" PRIu64
	         ",\"misses\":%" PRIu64 ",\"evicted\":%" PRIu64 "},\n",
	         h.objects, h.bytes, h.bound_b, h.hits, h.misses, h.evicted);
	buf_addf(out,
	         "\"disk\":{\"engine\":\"%s\",\"waiting\":%" PRIu64 ",\"under_way\":%" PRIu64 ",\"finished\":%" PRIu64
	         ",\"refused\":%" PRIu64 "},\n",
	         disk_kind(disk) == DISK_URING ? "io_uring" : "threads", d.waiting, d.under_way, d.finished, d.refused);
	buf_addf(out, "\"log\":{\"written\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"write_errors\":%" PRIu64 "}}\n",
	         l.written, l.dropped, l.write_errors);
}
