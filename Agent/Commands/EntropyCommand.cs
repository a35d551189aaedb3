using System.CommandLine;
using InterGuest.Agent.Guests;
using InterGuest.Agent.Net;
using InterGuest.Agent.Streams;

namespace InterGuest.Agent.Commands;

/// <summary>`interguest-agent entropy`.</summary>
internal static class EntropyCommand
{
    private static readonly GuestOptions Guest = new();

    public static Command Create(AgentContext context)
    {
        var command = new Command("entropy",
            "Serve this host's randomness to a guest's virtio-rng, from an entropy-source port.\n\n"
            + "  interguest-agent entropy --port /run/interguest/ports/random.sock\n\n"
            + "Runs until Ctrl-C.");
        Guest.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            using var guest = Guest.Make(parsed, NetMemory.Bytes(EntropyRole.BufferBytes, EntropyRole.QueueSize));
            var role = new EntropyRole();
            await new RoleLoop(guest, context.Log).RunAsync(role, cancel);
            context.Log.Say($"{role.Taken} random bytes were taken");
            return ExitCodes.Success;
        });
        return command;
    }
}
