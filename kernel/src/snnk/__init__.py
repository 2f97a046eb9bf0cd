"""The command `snnk`: the kernel's first client. It reads files and command lines, shows progress
and results, and keeps the ledger of runs; everything else it leaves to snn_kernel."""
