# peer: our end of every meeting with a foreign stack (tests/interop/peer.c).
if(TARGET inside)
    add_executable(interop-peer tests/interop/peer.c tests/interop/peer_options.c)
    target_link_libraries(interop-peer PRIVATE inside)
endif()
include(cmake/interop-usrsctp.cmake OPTIONAL)
include(cmake/interop-browsers.cmake OPTIONAL)
include(cmake/interop-turn.cmake OPTIONAL)
