using System.Runtime.InteropServices;

namespace InterGuest.Virtio.Native;

/// <summary>
/// Keeps the process alive when a peer cuts short a memory file that we have mapped. Touching a page that is gone is a
/// SIGBUS, which the runtime cannot survive in managed code; so a few instructions of our own, which no signal can find in
/// a bad moment, put empty memory in the place of the whole mapping and count. Other SIGBUS go on to whoever was there before.
/// </summary>
/// <remarks>
/// For x86-64. Elsewhere there is no guard, and <see cref="IsAvailable"/> says so: then only files that cannot shrink may be
/// mapped.
/// </remarks>
internal static unsafe class BusErrorGuard
{
    private const int MaxMappings = 65536;
    private const int SignalBus = 7;
    private const int TableHeadBytes = 32, EntryBytes = 24;

    // void handler(int signal, siginfo_t *info, void *context), position-independent. Registers as the calling convention
    // has them: rsi is info, whose address field is at 16; nothing that must be preserved is touched.
    private static ReadOnlySpan<byte> Code =>
    [
        0x4c, 0x8b, 0x05, 0xa1, 0x00, 0x00, 0x00, //       mov  r8, [rip + table]
        0x48, 0x8b, 0x46, 0x10,                   //       mov  rax, [rsi + 16]        the address that was touched
        0x49, 0x8b, 0x08,                         //       mov  rcx, [r8]              entries
        0x4d, 0x8d, 0x48, 0x20,                   //       lea  r9, [r8 + 32]          the first one
        0x48, 0x85, 0xc9,                         //       test rcx, rcx
        0x74, 0x14,                               //       jz   other
        0x49, 0x3b, 0x01,                         // next: cmp  rax, [r9]              start
        0x72, 0x06,                               //       jb   skip
        0x49, 0x3b, 0x41, 0x08,                   //       cmp  rax, [r9 + 8]          end
        0x72, 0x15,                               //       jb   ours
        0x49, 0x83, 0xc1, 0x18,                   // skip: add  r9, 24
        0x48, 0xff, 0xc9,                         //       dec  rcx
        0x75, 0xec,                               //       jnz  next
        0x49, 0x8b, 0x40, 0x08,                   // other:mov  rax, [r8 + 8]          the handler before us
        0x48, 0x83, 0xf8, 0x01,                   //       cmp  rax, 1                 SIG_DFL and SIG_IGN are 0 and 1
        0x76, 0x38,                               //       jbe  die
        0xff, 0xe0,                               //       jmp  rax
        0xf0, 0x49, 0xff, 0x41, 0x10,             // ours: lock inc qword [r9 + 16]    losses of this mapping
        0xf0, 0x49, 0xff, 0x40, 0x10,             //       lock inc qword [r8 + 16]    and of all
        0x49, 0x8b, 0x39,                         //       mov  rdi, [r9]
        0x49, 0x8b, 0x71, 0x08,                   //       mov  rsi, [r9 + 8]
        0x48, 0x29, 0xfe,                         //       sub  rsi, rdi
        0xba, 0x03, 0x00, 0x00, 0x00,             //       mov  edx, PROT_READ | PROT_WRITE
        0x41, 0xba, 0x32, 0x40, 0x00, 0x00,       //       mov  r10d, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
        0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, //       mov  r8, -1
        0x45, 0x31, 0xc9,                         //       xor  r9d, r9d
        0xb8, 0x09, 0x00, 0x00, 0x00,             //       mov  eax, SYS_mmap
        0x0f, 0x05,                               //       syscall
        0x48, 0x85, 0xc0,                         //       test rax, rax
        0x78, 0x01,                               //       js   die
        0xc3,                                     //       ret                         the access is tried again
        0x48, 0x83, 0xec, 0x28,                   // die:  sub  rsp, 40                a struct sigaction of zeros: SIG_DFL
        0x31, 0xc0,                               //       xor  eax, eax
        0x48, 0x89, 0x04, 0x24,                   //       mov  [rsp], rax
        0x48, 0x89, 0x44, 0x24, 0x08,             //       mov  [rsp + 8], rax
        0x48, 0x89, 0x44, 0x24, 0x10,             //       mov  [rsp + 16], rax
        0x48, 0x89, 0x44, 0x24, 0x18,             //       mov  [rsp + 24], rax
        0xb8, 0x0d, 0x00, 0x00, 0x00,             //       mov  eax, SYS_rt_sigaction
        0xbf, 0x07, 0x00, 0x00, 0x00,             //       mov  edi, SIGBUS
        0x48, 0x89, 0xe6,                         //       mov  rsi, rsp
        0x31, 0xd2,                               //       xor  edx, edx
        0x41, 0xba, 0x08, 0x00, 0x00, 0x00,       //       mov  r10d, 8
        0x0f, 0x05,                               //       syscall
        0x48, 0x83, 0xc4, 0x28,                   //       add  rsp, 40
        0xc3,                                     //       ret                         the access is tried again, and ends us
        0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00,       //       align 8
    ]; // table: a quad word, put behind the code

    private static readonly Lock Changing = new();
    private static readonly Table* Mappings = IsAvailable ? Install() : null;

    /// <summary>Whether this processor has a guard.</summary>
    public static bool IsAvailable => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>How often any mapping was lost.</summary>
    public static long TotalLosses => Mappings == null ? 0 : Volatile.Read(ref Mappings->Losses);

    /// <summary>Guards a mapping.</summary>
    /// <param name="start">Its first page.</param>
    /// <param name="length">Its bytes: whole pages.</param>
    /// <returns>By which to ask after it and to end it.</returns>
    public static int Add(void* start, nuint length)
    {
        if (Mappings == null)
            return -1;
        lock (Changing)
        {
            int slot = FreeSlot();
            ref var entry = ref Entries[slot];
            entry.Losses = 0;
            entry.End = (nuint)start + length;
            // The handler reads without a lock: an entry is its own once the start is there.
            Volatile.Write(ref entry.Start, (nuint)start);
            if (slot >= Mappings->Count)
                Volatile.Write(ref Mappings->Count, slot + 1);
            return slot;
        }
    }

    /// <summary>How often this mapping was lost; more than once means that several threads touched it.</summary>
    public static long Losses(int slot) => slot < 0 ? 0 : Volatile.Read(ref Entries[slot].Losses);

    /// <summary>Ends the guard of a mapping, before it is unmapped.</summary>
    public static void Remove(int slot)
    {
        if (slot < 0)
            return;
        lock (Changing)
            Volatile.Write(ref Entries[slot].Start, nuint.MaxValue);
    }

    private static Entry* Entries => (Entry*)((byte*)Mappings + TableHeadBytes);

    private static int FreeSlot()
    {
        for (int slot = 0; slot < Mappings->Count; slot++)
            if (Entries[slot].Start == nuint.MaxValue)
                return slot;
        return Mappings->Count < MaxMappings
            ? (int)Mappings->Count
            : throw new InvalidOperationException($"More than {MaxMappings} memory regions of guests are mapped.");
    }

    private static Table* Install()
    {
        var table = (Table*)Libc.MapAnonymous(TableHeadBytes + (nuint)MaxMappings * EntryBytes);
        byte* code = MachineCode.Load(Code, (nint)table);

        Libc.SignalAction before;
        Libc.Check(Libc.sigaction(SignalBus, null, &before), "sigaction");
        table->Previous = before.Handler;
        Libc.SignalAction action = default;
        (action.Handler, action.Flags) = ((nint)code, Libc.SA_SIGINFO | Libc.SA_ONSTACK | Libc.SA_RESTART);
        Libc.Check(Libc.sigaction(SignalBus, &action, null), "sigaction");
        return table;
    }

    [StructLayout(LayoutKind.Sequential, Size = TableHeadBytes)]
    private struct Table
    {
        public long Count;
        public nint Previous;
        public long Losses;
    }

    [StructLayout(LayoutKind.Sequential, Size = EntryBytes)]
    private struct Entry
    {
        public nuint Start;
        public nuint End;
        public long Losses;
    }
}
