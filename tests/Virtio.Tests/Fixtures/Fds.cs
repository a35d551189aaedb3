using System.Runtime.InteropServices;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>Descriptors of kinds that the library does not make itself, and what this process has open and mapped.</summary>
internal static unsafe partial class Fds
{
    internal const int ReadOnly = 0, ReadWrite = 2, Create = 0x40, Directory = 0x10000, NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;

    internal static (FileDescriptor Read, FileDescriptor Write) Pipe(int flags = 0)
    {
        int* ends = stackalloc int[2];
        Libc.Check(pipe2(ends, CloseOnExec | flags), "pipe2");
        return (new FileDescriptor(ends[0]), new FileDescriptor(ends[1]));
    }

    internal static FileDescriptor Open(string path, int flags) =>
        new(Libc.Check(open(path, flags | CloseOnExec, 0x180), $"open {path}"));

    /// <summary>An eventfd of a peer's making: with flags of the caller's choice.</summary>
    internal static FileDescriptor RawEventFd(uint count, int flags) => new(Libc.Check(Libc.eventfd(count, flags), "eventfd"));

    internal static nint Write(FileDescriptor fd, ulong value) => Libc.write(fd.Number, &value, sizeof(ulong));

    internal static bool IsOpen(int number) => Libc.fcntl(number, Libc.F_GETFL, 0) >= 0;

    /// <summary>How many of this process's descriptors are of files whose name contains this.</summary>
    internal static int CountOpen(string name) =>
        System.IO.Directory.EnumerateFileSystemEntries("/proc/self/fd").Count(p => LinkOf(p).Contains(name, StringComparison.Ordinal));

    /// <summary>How many mappings this process has of files whose name contains this.</summary>
    internal static int CountMapped(string name) =>
        File.ReadLines("/proc/self/maps").Count(line => line.Contains(name, StringComparison.Ordinal));

    /// <summary>A name that no other file of this process has.</summary>
    internal static string UniqueName(string stem) => $"{stem}-{Guid.NewGuid():N}";

    internal static int ThreadId() => gettid();

    /// <summary>Whether a thread of this process waits in the kernel.</summary>
    internal static bool IsAsleep(int thread) => File.ReadAllText($"/proc/self/task/{thread}/stat").Split(") ")[^1][0] == 'S';

    internal static void Interrupt(int thread, int signal) => _ = tgkill(Environment.ProcessId, thread, signal);

    private static string LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget ?? "";
        }
        catch (IOException)
        {
            return ""; // closed meanwhile
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int pipe2(int* fds, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, int mode);

    [LibraryImport("libc")]
    private static partial int gettid();

    [LibraryImport("libc")]
    private static partial int tgkill(int process, int thread, int signal);
}
