"""How much of a file an inspection looks at: seconds of work, whatever the file's size."""

_MIB = 1024 * 1024

#: Rows, and bytes of the text as it is read, that become records. So many bytes may be more rows:
#: readers take a mebibyte at a time, and rows are estimated from them.
LOOK_ROWS = 10_000
LEAST_BYTES = 4 * _MIB
LOOK_BYTES = 32 * _MIB
#: Those whose columns are told, and by which the layout is found out.
PEEK_ROWS = 1_000
PEEK_BYTES = 4 * _MIB
#: What is unpacked: more than is looked at, so that nobody meets its end.
SLACK_BYTES = 8 * _MIB
BEGINNING_BYTES = LOOK_BYTES + SLACK_BYTES
