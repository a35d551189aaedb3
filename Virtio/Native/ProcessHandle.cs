namespace InterGuest.Virtio.Native;

/// <summary>Another process, to be watched for its end.</summary>
public static class ProcessHandle
{
    /// <summary>A descriptor that is readable once the process has ended (pidfd_open).</summary>
    /// <param name="pid">Its number; one that we do not know is 0.</param>
    /// <returns>Null: there is no such process, or it cannot be watched.</returns>
    public static FileDescriptor? TryOpen(int pid)
    {
        int fd = pid > 0 ? Libc.pidfd_open(pid, 0) : -1;
        return fd < 0 ? null : new FileDescriptor(fd);
    }
}
