using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Guests;

/// <summary>
/// Runs a role on a guest's device, through every loss of the device: a switch that goes away is waited for. Negotiates the
/// device's features, in rounds if it offers them so.
/// </summary>
/// <param name="guest">Where the device comes from.</param>
/// <param name="log">Told what is waited for.</param>
/// <param name="refused">Features not to accept, though they are offered and the role could use them.</param>
internal sealed class RoleLoop(IGuest guest, AgentLog log, ulong refused = 0)
{
    /// <summary>The features that every role wants. The first cannot be refused.</summary>
    public const ulong Always = Features.Version1 | Features.RingEventIndex;

    private const int RetryMilliseconds = 100, TurnsBetweenLooks = 256;

    private readonly Lock _lock = new();
    private DriverDevice? _device;
    private string _told = "";

    /// <summary>Ends the wait of the role, if it waits. From any thread.</summary>
    public void Wake()
    {
        lock (_lock)
            _device?.Wake();
    }

    /// <summary>Runs the role until it is done or this is cancelled.</summary>
    /// <exception cref="AgentException">The device cannot be used.</exception>
    public void Run(IRole role, CancellationToken cancel)
    {
        using var onCancel = cancel.Register(Wake);
        while (!IsOver(role, cancel))
        {
            try
            {
                RunOnce(role, cancel);
            }
            catch (DeviceLostException e)
            {
                Tell($"{e.Message}; waiting for it");
                cancel.WaitHandle.WaitOne(RetryMilliseconds);
            }
        }
    }

    private static bool IsOver(IRole role, CancellationToken cancel) => cancel.IsCancellationRequested || role.IsDone;

    private void RunOnce(IRole role, CancellationToken cancel)
    {
        using var device = guest.Open();
        lock (_lock)
            _device = device;
        try
        {
            while (Agree(role, device, cancel))
            {
                Drive(role, device, cancel);
                if (device.IsToLookAgain)
                    device.Reset();
            }
        }
        catch (DmaMemoryException e)
        {
            throw new AgentException($"{guest.Name}: {e.Message}: ask for less, a lower --depth or --size", e);
        }
        catch (InvalidDataException e)
        {
            // A device that lies about its ring is no device: begin anew with another.
            throw new DeviceLostException(e.Message, e);
        }
        finally
        {
            lock (_lock)
                _device = null;
        }
    }

    /// <summary>Accepts features, round by round, until the last.</summary>
    /// <returns>False: the role is over.</returns>
    private bool Agree(IRole role, DriverDevice device, CancellationToken cancel)
    {
        while (!IsOver(role, cancel))
        {
            if (device.TryAccept(((role.Wanted | Always) & ~refused) | Features.Version1))
                return (device.Accepted & Features.Version1) != 0
                    ? true
                    : throw new AgentException("the device is older than VIRTIO 1.0 (no VIRTIO_F_VERSION_1); this driver is not");
            Tell("agrees on features, in rounds, with the guest at the other end of the link");
            while (!device.IsToLookAgain && !IsOver(role, cancel))
                device.Wait(RetryMilliseconds);
            if (device.IsToLookAgain)
                device.Reset();
        }
        return false;
    }

    private void Drive(IRole role, DriverDevice device, CancellationToken cancel)
    {
        device.Memory.FreeAll();
        try
        {
            role.Start(device);
            Tell("running");
            for (uint turns = 1; !IsOver(role, cancel) && !device.IsToLookAgain; turns++)
            {
                if (!role.Work())
                    device.Wait(role.Arm());
                else if (turns % TurnsBetweenLooks == 0)
                    device.Wait(0); // a busy role, too, must learn that its device is gone
            }
        }
        finally
        {
            role.Stop();
        }
    }

    /// <summary>Says what has not been said just before.</summary>
    private void Tell(string what)
    {
        if (_told != what)
            log.Say($"{guest.Name}: {what}");
        _told = what;
    }
}
