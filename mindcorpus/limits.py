"""How much is held, in memory at one time, whatever a file holds, and on the disk."""

#: The longest raw record that is read, in bytes. A longer line, or row of Parquet, is dropped and
#: counted; in an array or CSV, where the next record cannot be found without it, it ends the
#: reading.
MAX_RECORD_BYTES = 64 * 1024 * 1024
#: The most values of one raw record: a `[]` is three bytes of a file and seventy of memory.
MAX_VALUES = 4 * 1024 * 1024
#: Memory that decoding one batch of Parquet may take: what a file of a kilobyte decodes to is known
#: only when it is decoded.
DECODE_BYTES = 512 * 1024 * 1024
#: Text that is gathered before it is written as a batch: the unit of memory for all who write and
#: read rows. Eight times as much is twice the memory, and no faster.
BATCH_BYTES = 1024 * 1024
#: Builds of each artifact that stay when they are replaced, beside the current one.
KEEP_BUILDS = 1
#: Share of the disk that these, and the parts of sources, may take together.
DISK_SHARE = 0.5
#: Days that a part of a source stays when no merge uses it.
PARTS_DAYS = 3.0
