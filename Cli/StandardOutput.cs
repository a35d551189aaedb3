using Microsoft.Win32.SafeHandles;

namespace InterGuest.Cli;

/// <summary>Opens standard output so that a pipe without a reader is an error.</summary>
internal static class StandardOutput
{
    public static Stream Open()
    {
        if (!Console.IsOutputRedirected)
            return Console.OpenStandardOutput();
        try
        {
            var stream = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            // A FileStream keeps a file position of its own: on a file that other processes write too, it overwrites.
            return stream.CanSeek ? Console.OpenStandardOutput() : stream;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return Console.OpenStandardOutput(); // closed, or something a FileStream does not take
        }
    }
}
