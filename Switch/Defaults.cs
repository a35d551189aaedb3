namespace InterGuest.Switch;

/// <summary>What holds if nobody says: for root the places of the system, for others their own.</summary>
internal static class Defaults
{
    public static string ControlSocket => Path.Combine(RunDirectory, "control.sock");

    public static string SocketDirectory => Path.Combine(RunDirectory, "ports");

    public static string StateDirectory => Environment.IsPrivilegedProcess
        ? "/var/lib/interguest"
        : Path.Combine(Home("XDG_STATE_HOME", ".local/state"), "interguest");

    /// <summary>Some times what it takes to sleep and be woken.</summary>
    public static TimeSpan BusyPoll => TimeSpan.FromMicroseconds(50);

    private static string RunDirectory => Environment.IsPrivilegedProcess
        ? "/run/interguest"
        : Path.Combine(Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } run ? run : "", "interguest");

    private static string Home(string variable, string otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } set
            ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), otherwise);
}
