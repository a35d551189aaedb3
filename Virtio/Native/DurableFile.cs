using System.Text;

namespace InterGuest.Virtio.Native;

/// <summary>Files that are whole after a loss of power: the old text or the new one, never a part.</summary>
public static class DurableFile
{
    /// <summary>
    /// Puts a text in a file's place: written beside it, flushed to the disk, renamed over it, and the directory flushed, so
    /// that the name is durable, too. The file there was before is kept as <paramref name="previous"/>.
    /// </summary>
    /// <exception cref="IOException">It could not be written; the file is what it was.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static void Replace(string path, string text, string previous)
    {
        string fresh = path + ".new";
        using (var file = new FileStream(fresh, FileMode.Create, FileAccess.Write))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }
        Keep(path, previous);
        File.Move(fresh, path, overwrite: true);
        Flush(Path.GetDirectoryName(path)!);
    }

    /// <summary>A second name, so that the file never lacks its own.</summary>
    private static void Keep(string path, string previous)
    {
        _ = Libc.unlink(previous);
        if (Libc.link(path, previous) < 0 && Libc.LastError != Libc.ENOENT)
            File.Copy(path, previous, overwrite: true); // a file system without links
    }

    private static void Flush(string directory)
    {
        int fd = Libc.open(directory, Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
        if (fd < 0)
            throw new IOException($"{directory} cannot be opened: error {Libc.LastError}");
        using var owned = new FileDescriptor(fd);
        if (Libc.fsync(fd) < 0 && Libc.LastError != Libc.EINVAL) // some file systems have nothing to flush
            throw new IOException($"{directory} cannot be flushed to the disk: error {Libc.LastError}");
    }
}
